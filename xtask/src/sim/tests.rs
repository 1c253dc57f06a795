//! The runner against a script that stands in for the simulator and keeps, or breaks, the contract.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::campaign::{Campaign, run_recorded};
use super::contract::Outcome;
use super::failure;
use super::simulator::{Job, Origin, Simulator, Trace};
use super::{Arguments, determinism, mutants, run_with};

/// Behaves by its seed: 13 violates, 14 panics, 15 hangs, 16 forgets its report, 17 differs from run to
/// run, 19 does not check its history, from 200 on no pages are met; `weak` is convicted from seed 5 on, `strong` never, and
/// `odd` of what it does not do.
const FAKE_SIMULATOR: &str = r#"
seed=0 mutant= trace= output=
while [ $# -gt 0 ]; do
    case "$1" in
        --list-mutants) printf 'weak\tlinearizable\todd\nstrong\tlinearizable\nodd\tother\n'; exit 0 ;;
        --seed) seed=$2 ;;
        --plan) seed=$(cat "$2") ;;
        --mutant) mutant=$2 ;;
        --trace) trace=$2 ;;
        --output) output=$2 ;;
    esac
    shift 2
done
touch "$TMPDIR/scratch-data" || exit 3
if [ -n "$trace" ] && [ "$trace" != - ]; then
    echo "0.1 started $seed" > "$trace"
    [ "$seed" = 17 ] && echo "0.2 process $$" >> "$trace"
fi
[ "$trace" = - ] && echo "0.1 started $seed"
pages=1
[ "$seed" -ge 200 ] && pages=0
totals='"virtual_seconds":30.5,"operations":300,"trace_hash":"00","faults":{"kill":2},"faults_indeterminate":{"kill":1},"history_checked":true,"resident_kib_max":2048,"coverage":{"pages":'$pages'}'
violated() {
    if [ -n "$output" ]; then mkdir -p "$output" && echo '{}' > "$output/plan.json"; fi
    printf '{"seed":%s,"verdict":"failed","property":"linearizable","evidence":"two\\nlines",%s}\n' "$seed" "$totals"
    exit 1
}
[ "$mutant" = weak ] && [ "$seed" -ge 5 ] && violated
[ "$mutant" = odd ] && violated
[ -z "$mutant" ] && case "$seed" in
    13) violated ;;
    14) echo "thread main panicked: no such node" >&2; exit 101 ;;
    15) exec sleep 1000 ;;
    16) exit 0 ;;
    19) printf '{"seed":19,"verdict":"not_checked","evidence":"given up",%s}\n' "$totals"; exit 3 ;;
esac
echo "{\"seed\":$seed,\"verdict\":\"passed\",$totals}"
"#;

const LIMIT: Duration = Duration::from_secs(60);

struct Stage {
    folder: TempDir,
    simulator: Simulator,
}

impl Stage {
    fn new() -> Stage {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = folder.path().join("quorate-sim.sh");
        std::fs::write(&script, FAKE_SIMULATOR).expect("writing the script");
        Stage { simulator: Simulator::script(&script), folder }
    }

    fn failures(&self) -> PathBuf {
        self.folder.path().join("failures")
    }

    fn simulate(&self, seed: u64, limit: Duration) -> (Job, Outcome) {
        let job = Job {
            origin: Origin::Seed(seed),
            mutant: None,
            trace: Trace::Off,
            output: Some(self.failures().join(seed.to_string())),
        };
        let outcome = run_recorded(&self.simulator, &job, limit).expect("running the script");
        (job, outcome)
    }

    fn campaign(&self, seeds: std::ops::RangeInclusive<u64>) -> super::summary::Summary {
        let campaign = Campaign { seeds, mutant: None, jobs: 3, limit: LIMIT, failures: self.failures() };
        campaign.run(&self.simulator).expect("running the script").0
    }
}

#[track_caller]
fn check_broken(outcome: &Outcome, expected_what: &str, expected_stderr: &str) {
    match outcome {
        Outcome::Broken { what, stderr_tail } => {
            assert!(what.contains(expected_what), "{what}");
            assert!(stderr_tail.contains(expected_stderr), "{stderr_tail}");
        }
        other => panic!("expected a broken harness, got {other:?}"),
    }
}

#[test]
fn a_campaign_in_which_all_seeds_pass_adds_them_up() {
    let stage = Stage::new();
    let summary = stage.campaign(1..=12);
    assert!(summary.all_passed());
    let text = summary.describe(Duration::from_secs(6)).to_string();
    for expected in [
        "12 seeds in 6.0 s, 2.0 seeds/s",
        "virtual time 366 s",
        "3600 operations",
        "2 MiB",
        "kill 24 (0, 12)",
        "pages 12,",
        "12 passed, 0 failed",
    ] {
        assert!(text.contains(expected), "no {expected:?} in {text}");
    }
    assert!(!stage.failures().exists(), "a campaign without failures left a folder");
}

#[test]
fn what_many_seeds_never_meet_is_told() {
    let stage = Stage::new();
    assert_eq!(stage.campaign(101..=201).never_met(), [] as [&str; 0]);
    assert_eq!(stage.campaign(200..=298).never_met(), [] as [&str; 0], "too few to tell");
    let summary = stage.campaign(200..=299);
    assert_eq!(summary.never_met(), ["pages"]);
    let text = summary.describe(Duration::from_secs(6)).to_string();
    assert!(text.contains("NEVER MET in 100 seeds: pages"), "{text}");
}

#[test]
fn a_violation_says_what_how_to_replay_and_where_to_look() {
    let stage = Stage::new();
    let (job, outcome) = stage.simulate(13, LIMIT);
    let text = failure::describe(&job, &outcome, job.output.as_deref());
    for expected in [
        "seed 13 FAILED: linearizable",
        "evidence: two\n            lines",
        "cargo xtask sim --seed 13 --trace",
        "failures/13/ plan.json report.json",
    ] {
        assert!(text.contains(expected), "no {expected:?} in {text}");
    }
}

#[test]
fn a_violation_fails_the_campaign_but_not_the_other_seeds() {
    let stage = Stage::new();
    let summary = stage.campaign(10..=13);
    assert_eq!((summary.passed, summary.violated, summary.broken), (3, 1, 0));
    assert!(!summary.all_passed());
}

#[test]
fn what_proves_nothing_is_a_failure_of_the_harness() {
    let stage = Stage::new();
    check_broken(&stage.simulate(14, LIMIT).1, "exit status: 101", "panicked: no such node");
    check_broken(&stage.simulate(15, Duration::from_millis(300)).1, "had not ended", "");
    check_broken(&stage.simulate(16, LIMIT).1, "printed no report", "");
    check_broken(&stage.simulate(19, LIMIT).1, "not checked: given up", "");
    assert!(stage.failures().join("14/harness.txt").exists());
}

#[test]
fn an_older_failure_of_the_same_seed_does_not_linger() {
    let stage = Stage::new();
    let stale = stage.failures().join("1");
    std::fs::create_dir_all(&stale).expect("making the folder");
    stage.simulate(1, LIMIT);
    assert!(!stale.exists());
}

#[test]
fn determinism_is_judged_by_the_traces() {
    let stage = Stage::new();
    let check =
        |seeds| determinism::check(&stage.simulator, seeds, None, 2, LIMIT).expect("running the script");
    assert_eq!(check(1..=3), (3, 0));
    assert_eq!(check(16..=18), (1, 2), "16 does not pass, 17 differs");
}

#[test]
fn a_mutant_that_is_not_convicted_of_what_it_does_fails_the_check() {
    let stage = Stage::new();
    let known = stage.simulator.mutants().expect("running the script");
    assert_eq!(known.iter().map(|mutant| &mutant.name[..]).collect::<Vec<_>>(), ["weak", "strong", "odd"]);
    assert_eq!(known[0].properties, ["linearizable", "odd"]);
    let hunts = mutants::hunt_all(&stage.simulator, known, 1, 2, LIMIT).expect("running the script");
    let found: Vec<_> = hunts.iter().map(|hunt| hunt.conviction.as_ref().map(|(seed, _)| *seed)).collect();
    assert_eq!(found, [Some(5), None, None]);
    assert_eq!(hunts[2].misjudgement, Some((1, "linearizable".to_owned())));
    assert!(!mutants::conclude(&hunts));
    assert!(mutants::conclude(&hunts[..1]));
}

#[test]
fn only_a_run_without_failures_succeeds() {
    let stage = Stage::new();
    let run = |arguments: &Arguments| run_with(&stage.simulator, arguments, 2, stage.failures());
    run(&Arguments::of_seeds(12, false)).expect("seeds 1 to 12 pass");
    run(&Arguments::of_seeds(13, false)).expect_err("seed 13 fails");
    run(&Arguments::of_seeds(3, true)).expect("seeds 1 to 3 are deterministic");
    run(&Arguments { seed: Some(1), trace: true, ..Arguments::of_seeds(1, false) }).expect("seed 1 passes");
    run(&Arguments { seed: Some(13), ..Arguments::of_seeds(1, false) }).expect_err("seed 13 fails");

    let plan = stage.folder.path().join("plan.json");
    std::fs::write(&plan, "13").expect("writing the plan");
    run(&Arguments { plan: Some(plan), ..Arguments::of_seeds(1, false) }).expect_err("the plan fails");
}

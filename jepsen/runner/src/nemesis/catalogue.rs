//! All nemeses, and the choice among them.

use super::Nemesis;
use super::crash::Crash;
use super::disturbance::{Disturbance, Kind};
use super::membership::{MembershipChurn, Way};
use super::partition::{Form, Partition};
use super::pause::Pause;
use super::restart::RollingRestart;
use super::transfer::TransferStorm;
use super::whom::Whom;
use crate::interposed;

/// All that there are, in the order in which they are listed.
pub fn all() -> Vec<Box<dyn Nemesis>> {
    let mut all: Vec<Box<dyn Nemesis>> = Vec::new();
    for whom in [Whom::Leader, Whom::Minority, Whom::Majority, Whom::All] {
        all.push(Box::new(Crash::new(whom)));
    }
    for whom in [Whom::Leader, Whom::Minority, Whom::Majority, Whom::All] {
        all.push(Box::new(Pause::new(whom, false)));
    }
    all.push(Box::new(Pause::new(Whom::Leader, true)));
    all.push(Box::new(RollingRestart));
    for form in [Form::Halves, Form::Ring, Form::Bridge, Form::IsolatedLeader, Form::OneWay, Form::Flapping] {
        all.push(Box::new(Partition::new(form)));
    }
    for kind in [Kind::Loss, Kind::Bandwidth, Kind::Delay, Kind::Reordering, Kind::Duplication] {
        all.push(Box::new(Disturbance::new(kind)));
    }
    for way in [Way::Removed, Way::LeaderRemoved, Way::DiskLost] {
        all.push(Box::new(MembershipChurn::new(way)));
    }
    all.push(Box::new(TransferStorm));
    all.extend(interposed::nemeses(interposed::built_interposer()));
    all
}

/// Those that are meant by names: of one, of a group (`kill` means all whose name begins with `kill-`), `all`, `none`.
///
/// # Errors
///
/// A name that means nothing, with those that do.
pub fn choose(names: &[String]) -> Result<Vec<Box<dyn Nemesis>>, String> {
    let known: Vec<_> = all().iter().map(|nemesis| nemesis.name()).collect();
    let group = |name: &str| format!("{name}-");
    for name in names.iter().filter(|name| *name != "all" && *name != "none") {
        if !known.iter().any(|known| known == name || known.starts_with(&group(name))) {
            return Err(format!("there is no nemesis {name}; there are: {}", known.join(", ")));
        }
    }
    let meant = |nemesis: &dyn Nemesis| {
        let is = |name: &String| {
            name == "all" || name == nemesis.name() || nemesis.name().starts_with(&group(name))
        };
        names.iter().any(is)
    };
    Ok(all().into_iter().filter(|nemesis| meant(nemesis.as_ref())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str]) -> Vec<&'static str> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        choose(&names).expect("all of them exist").iter().map(|nemesis| nemesis.name()).collect()
    }

    #[test]
    fn a_group_means_all_of_it() {
        assert_eq!(chosen(&["kill"]), ["kill-leader", "kill-minority", "kill-majority", "kill-all"]);
        assert_eq!(chosen(&["pause-short", "kill-all"]), ["kill-all", "pause-short"]);
        assert_eq!(chosen(&["none"]), [""; 0]);
        assert_eq!(chosen(&["all"]).len(), all().len());
    }

    #[test]
    fn a_name_that_nobody_has_is_an_error() {
        let error = choose(&["kil".into()]).err().expect("there is none");
        assert!(error.contains("kil;") && error.contains("kill-leader"), "{error}");
    }

    #[test]
    fn all_names_differ() {
        let mut names = chosen(&["all"]);
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

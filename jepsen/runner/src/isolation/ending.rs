//! What the end of the process inside means for the one outside.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::SystemTime;

use crate::run::{BAD_ARGUMENTS, HARNESS_FAILED};

/// The exit code of a run that was done by a process inside. `wrote_report` tells whether it wrote a report: without one
/// there is no verdict, whatever code it ended with, because `unshare`, or a program that panics, has codes of its own.
/// Only a list of what there is, and wrong arguments, need none.
///
/// # Errors
///
/// Why there is no verdict, if the process inside had no time to say so.
pub fn code_of_inside(
    ended: io::Result<ExitStatus>,
    wrote_report: bool,
    is_list: bool,
) -> Result<u8, String> {
    let status = ended.map_err(|error| format!("the runner inside: {error}"))?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(0) if is_list => Ok(0),
        Some(code @ 0..BAD_ARGUMENTS) if wrote_report => Ok(code),
        Some(code @ (BAD_ARGUMENTS | HARNESS_FAILED)) => Ok(code),
        Some(0..BAD_ARGUMENTS) => Err(format!("the runner inside ended with {status}, and without a report")),
        _ => Err(format!("the runner inside ended with {status}")),
    }
}

/// Whether a report was written to that folder since then.
pub fn has_report(folder: &Path, since: SystemTime) -> bool {
    let written = folder.join("report.json").metadata().and_then(|metadata| metadata.modified());
    written.is_ok_and(|written| written >= since)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::process::ExitStatusExt;
    use std::time::Duration;

    use super::*;

    fn exited(code: i32) -> io::Result<ExitStatus> {
        Ok(ExitStatus::from_raw(code << 8))
    }

    #[test]
    fn a_verdict_has_a_report() {
        for code in [0, 1, 2] {
            assert_eq!(code_of_inside(exited(code.into()), true, false), Ok(code));
            let why = code_of_inside(exited(code.into()), false, false).expect_err("no report");
            assert!(why.ends_with("without a report"), "{why}");
        }
    }

    #[test]
    fn some_ends_need_no_report() {
        assert_eq!(code_of_inside(exited(0), false, true), Ok(0));
        assert_eq!(code_of_inside(exited(3), false, false), Ok(BAD_ARGUMENTS));
        assert_eq!(code_of_inside(exited(4), false, false), Ok(HARNESS_FAILED));
    }

    #[test]
    fn a_code_of_no_run_is_no_verdict() {
        code_of_inside(exited(1), false, true).expect_err("unshare failed");
        code_of_inside(exited(101), true, false).expect_err("a panic");
        code_of_inside(Ok(ExitStatus::from_raw(9)), true, false).expect_err("killed");
        code_of_inside(Err(io::ErrorKind::NotFound.into()), true, false).expect_err("never started");
    }

    #[test]
    fn the_report_of_an_earlier_run_does_not_count() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let now = SystemTime::now();
        assert!(!has_report(folder.path(), now));
        fs::write(folder.path().join("report.json"), "{}").expect("written");
        assert!(has_report(folder.path(), now - Duration::from_secs(60)));
        assert!(!has_report(folder.path(), now + Duration::from_secs(60)));
    }
}

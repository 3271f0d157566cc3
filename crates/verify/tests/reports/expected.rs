//! A report is compared with a file.

use std::{fs, path::Path};

/// Panics if `actual` is not what stands in `tests/reports/NAME`.
#[track_caller]
pub(crate) fn is_as_before(name: &str, actual: &str) {
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports").join(name);
    if fs::read_to_string(&expected).is_ok_and(|expected| expected == actual) {
        return;
    }
    let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&written, actual).expect("there is room for a report");
    panic!("{name} has changed. If it should: cp {} {}", written.display(), expected.display());
}

//! What was moved, in words.

use onlyonce_backends::Summary;

pub(super) fn contents(summary: &Summary) -> String {
    let Summary { records, results, audit, .. } = *summary;
    let counted = |count, one, many| format!("{count} {}", if count == 1 { one } else { many });
    format!(
        "{}, {} and {} of the audit",
        counted(records, "record", "records"),
        counted(results, "result", "results"),
        counted(audit, "entry", "entries")
    )
}

/// So many of the records.
pub(super) fn were(count: u64) -> String {
    format!("{count} of the records {}", if count == 1 { "was" } else { "were" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let of =
            |records, results, audit| contents(&Summary { records, results, audit, ..Summary::default() });
        assert_eq!(of(1, 1, 1), "1 record, 1 result and 1 entry of the audit");
        assert_eq!(of(2, 0, 3), "2 records, 0 results and 3 entries of the audit");
        assert_eq!(
            (were(1), were(2)),
            ("1 of the records was".to_owned(), "2 of the records were".to_owned())
        );
    }
}

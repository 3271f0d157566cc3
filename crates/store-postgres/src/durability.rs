//! What the server's settings mean for what it has acknowledged, in sentences for whoever starts a gateway.
//!
//! What loses acknowledged claims in a crash of this one server is a [loss](Found::losses), and refused unless it was
//! accepted. What a fail-over or a restore may lose depends on what people do, and is said.

use sqlx::{Row as _, postgres::PgRow};

/// The settings that count.
#[derive(Debug)]
pub(crate) struct Settings {
    fsync: bool,
    full_page_writes: bool,
    synchronous_commit: String,
    standby_names: String,
}

/// What they mean.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// How a crash loses what was acknowledged, and what to do about it.
    pub(crate) losses: Vec<String>,
    /// What else there is to say.
    pub(crate) sentences: Vec<String>,
}

impl Settings {
    pub(crate) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let is_on = |name| row.try_get::<String, _>(name).map(|value| value == "on");
        Ok(Self {
            fsync: is_on("fsync")?,
            full_page_writes: is_on("full_page_writes")?,
            synchronous_commit: row.try_get("synchronous_commit")?,
            standby_names: row.try_get("standby_names")?,
        })
    }

    /// Whether a commit waits for a standby.
    pub(crate) fn waits_for_standby(&self) -> bool {
        !self.standby_names.trim().is_empty() && !matches!(&*self.synchronous_commit, "off" | "local")
    }

    pub(crate) fn found(&self) -> Found {
        let mut found = Found::default();
        if !self.fsync {
            found.losses.push(
                "`fsync = off`: when the server's machine crashes, acknowledged claims and results are lost, and the whole \
                 database may be damaged; set `fsync = on`"
                    .to_owned(),
            );
        }
        if !self.full_page_writes {
            found.losses.push(
                "`full_page_writes = off`: when the server's machine crashes, half-written pages may lose acknowledged \
                 claims and results; set `full_page_writes = on`"
                    .to_owned(),
            );
        }
        if self.synchronous_commit == "off" {
            found.losses.push(
                "`synchronous_commit = off`: when the server crashes, claims and results acknowledged in its last moments \
                 are lost; set it to `on`, for the ledger's role alone with `ALTER ROLE … SET synchronous_commit = on`"
                    .to_owned(),
            );
        }
        found.sentences.push(self.fail_over());
        found
    }

    fn fail_over(&self) -> String {
        if self.standby_names.trim().is_empty() {
            return "PostgreSQL waits for no standby (`synchronous_standby_names` is empty): after a fail-over to a standby, \
                    or a restore, what was acknowledged last is forgotten, and repeats of it run again"
                .to_owned();
        }
        match &*self.synchronous_commit {
            "off" | "local" => format!(
                "`synchronous_commit = {}` does not wait for the standbys that `synchronous_standby_names` names: after a \
                 fail-over what was acknowledged last is forgotten, and repeats of it run again; set it to `on`",
                self.synchronous_commit
            ),
            "remote_write" => "`synchronous_commit = remote_write`: a standby has received what is acknowledged, and has not \
                               synced it; a fail-over loses it if the standby's machine crashes too"
                .to_owned(),
            _ => format!(
                "PostgreSQL acknowledges once as many standbys have synced as `synchronous_standby_names = {}` asks for: a \
                 fail-over to the one of these that has received the most, and to no other, loses nothing that was acknowledged",
                self.standby_names.trim()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(synchronous_commit: &str, standby_names: &str) -> Settings {
        Settings {
            fsync: true,
            full_page_writes: true,
            synchronous_commit: synchronous_commit.to_owned(),
            standby_names: standby_names.to_owned(),
        }
    }

    #[test]
    fn what_a_crash_loses_is_a_loss_and_what_a_fail_over_loses_is_said() {
        let sound = settings("on", "").found();
        assert!(sound.losses.is_empty());
        assert!(sound.sentences[0].contains("waits for no standby"), "{sound:?}");
        let bad = Settings { fsync: false, full_page_writes: false, ..settings("off", "") }.found();
        for (loss, name) in bad.losses.iter().zip(["fsync", "full_page_writes", "synchronous_commit"]) {
            assert!(loss.contains(name), "{loss}");
        }
        assert_eq!(bad.losses.len(), 3);
    }

    #[test]
    fn a_fail_over_is_told_for_each_way_to_commit() {
        for (commit, says) in [
            ("off", "does not wait"),
            ("local", "does not wait"),
            ("remote_write", "has not synced it"),
            ("on", "and to no other"),
            ("remote_apply", "and to no other"),
        ] {
            let settings = settings(commit, "ANY 1 (a, b)");
            assert!(settings.fail_over().contains(says), "{commit}: {}", settings.fail_over());
            assert_eq!(settings.waits_for_standby(), !matches!(commit, "off" | "local"));
        }
    }
}

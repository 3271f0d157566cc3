//! What the server's settings mean for what it has acknowledged, in sentences for people.
//!
//! What loses acknowledged claims in a crash of this one server is a [loss](Found::losses), and refused unless it was
//! accepted. What a fail-over or a restore may lose depends on what people do, and is said.
//!
//! The settings may change while the ledger is in use, and another server may answer by the same name. So they are looked at
//! again on each connection that writes and every few seconds ([`Watch`]): no connection writes where a crash would lose what
//! it is told, and what has changed is said.

use std::sync::{Mutex, PoisonError};

use sqlx::{Row as _, postgres::PgRow};

use crate::{error::Cause, standbys::Quorum};

/// The settings that count.
#[derive(Debug)]
pub(crate) struct Settings {
    fsync: bool,
    full_page_writes: bool,
    synchronous_commit: String,
    standby_names: String,
}

/// What they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// How a crash loses what was acknowledged, and what to do about it.
    pub(crate) losses: Vec<String>,
    /// What else there is to say.
    pub(crate) sentences: Vec<String>,
}

/// What is known of the server's settings while the ledger is in use.
#[derive(Debug)]
pub(crate) struct Watch {
    accept_loss: bool,
    /// Whether it would be heard that a standby has not got a commit.
    hears_warnings: bool,
    said: Mutex<Found>,
}

impl Watch {
    /// Begins with what opening has found, and said.
    pub(crate) const fn new(accept_loss: bool, hears_warnings: bool, said: Found) -> Self {
        Self { accept_loss, hears_warnings, said: Mutex::new(said) }
    }

    /// Takes note of what the settings are now, and says what has changed.
    ///
    /// # Errors
    /// Why nothing may be written, unless that was accepted.
    pub(crate) fn look(&self, settings: &Settings) -> Result<(), Cause> {
        let found = settings.found();
        self.say(&found);
        if settings.waits_for_standby() && !self.hears_warnings {
            return Err(Cause::Weak(
                "the warning that a standby has not got a commit would not be heard".to_owned(),
            ));
        }
        match found.losses.first().filter(|_| !self.accept_loss && settings.breaks_what_is_synced()) {
            Some(loss) => Err(Cause::Weak(loss.clone())),
            None => Ok(()),
        }
    }

    fn say(&self, found: &Found) {
        let before =
            std::mem::replace(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner), found.clone());
        for loss in found.losses.iter().filter(|loss| !before.losses.contains(loss)) {
            tracing::error!("a setting of the ledger's PostgreSQL has changed: {loss}");
        }
        for loss in before.losses.iter().filter(|loss| !found.losses.contains(loss)) {
            let (setting, _) = loss.split_once(':').unwrap_or((loss, ""));
            tracing::info!("a setting of the ledger's PostgreSQL is mended: it was {setting}");
        }
        for sentence in found.sentences.iter().filter(|sentence| !before.sentences.contains(sentence)) {
            tracing::warn!("a setting of the ledger's PostgreSQL has changed: {sentence}");
        }
    }
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

    /// Whether a crash loses also what a session of ours commits; that it commits with `synchronous_commit = off` is not up
    /// to the server.
    const fn breaks_what_is_synced(&self) -> bool {
        !self.fsync || !self.full_page_writes
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
        found.sentences = self.fail_over();
        found
    }

    fn fail_over(&self) -> Vec<String> {
        let Some(quorum) = Quorum::read(&self.standby_names) else {
            return vec![
                "PostgreSQL waits for no standby (`synchronous_standby_names` is empty): after a fail-over to a standby, \
                 or a restore, what was acknowledged last is forgotten, and repeats of it run again"
                    .to_owned(),
            ];
        };
        match &*self.synchronous_commit {
            "off" | "local" => vec![format!(
                "`synchronous_commit = {}` does not wait for the standbys that `synchronous_standby_names` names: after a \
                 fail-over what was acknowledged last is forgotten, and repeats of it run again; set it to `on`",
                self.synchronous_commit
            )],
            "remote_write" => vec![
                "`synchronous_commit = remote_write`: a standby has received what is acknowledged, and has not \
                 synced it; a fail-over loses it if the standby's machine crashes too"
                    .to_owned(),
                self.who_has_it(quorum, "received it"),
            ],
            _ => vec![self.who_has_it(quorum, "synced")],
        }
    }

    /// To which standby a fail-over loses nothing.
    fn who_has_it(&self, quorum: Quorum, done: &str) -> String {
        let names = self.standby_names.trim();
        let Quorum { needed, of } = quorum;
        if quorum.is_all() {
            return format!(
                "PostgreSQL acknowledges once every standby that `synchronous_standby_names = {names}` names has {done}: a \
                 fail-over to one of these, and to no other, loses nothing that was acknowledged, as long as no two \
                 standbys bear one name"
            );
        }
        let have = if needed == 1 { "has" } else { "have" };
        let asked = format!("`synchronous_standby_names = {names}`");
        let those = match of {
            Some(of) => format!("{needed} of the {of} standbys that {asked} names"),
            None => format!("{needed} of the standbys that are connected ({asked})"),
        };
        format!(
            "PostgreSQL acknowledges once {those} {have} {done}, and not always the same: in a fail-over promote the one that \
             has received the most (`pg_last_wal_receive_lsn()`); any other may have forgotten what was acknowledged last, \
             and repeats of it run again"
        )
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
            let settings = settings(commit, "FIRST 2 (a, b)");
            assert!(settings.fail_over()[0].contains(says), "{commit}: {:?}", settings.fail_over());
            assert_eq!(settings.waits_for_standby(), !matches!(commit, "off" | "local"));
        }
    }

    /// Of two standbys of which one is waited for, the other may have forgotten, and people promote "one of these".
    #[test]
    fn a_fail_over_to_any_of_the_named_is_safe_only_where_all_are_waited_for() {
        for all in ["a", "2 (a, b)", "ANY 2 (a, b)", "FIRST 2 (a, b)"] {
            let told = settings("on", all).fail_over().concat();
            assert!(told.contains("every standby") && told.contains("loses nothing"), "{all}: {told}");
        }
        for (some, those) in [
            (
                "ANY 1 (a, b)",
                "1 of the 2 standbys that `synchronous_standby_names = ANY 1 (a, b)` names has ",
            ),
            ("FIRST 1 (a, b)", "1 of the 2 standbys"),
            ("a, b", "1 of the 2 standbys"),
            ("2 (a, b, c)", "2 of the 3 standbys that `synchronous_standby_names = 2 (a, b, c)` names have "),
            ("*", "1 of the standbys that are connected"),
            ("ANY 2 (*)", "2 of the standbys that are connected"),
        ] {
            for commit in ["on", "remote_apply", "remote_write"] {
                let told = settings(commit, some).fail_over().concat();
                assert!(
                    told.contains(those) && told.contains("any other may have forgotten"),
                    "{some}: {told}"
                );
                assert!(!told.contains("loses nothing"), "{some}: {told}");
            }
        }
    }

    #[test]
    fn what_changes_later_is_refused_unless_it_was_accepted_or_our_own_sessions_mend_it() {
        let sound = || settings("on", "");
        let no_fsync = || Settings { fsync: false, ..sound() };
        let torn = || Settings { full_page_writes: false, ..sound() };
        let watch = |accept_loss, hears| Watch::new(accept_loss, hears, sound().found());
        for (settings, refused) in
            [(sound(), false), (no_fsync(), true), (torn(), true), (settings("off", ""), false)]
        {
            assert_eq!(watch(false, true).look(&settings).is_err(), refused, "{settings:?}");
            assert!(watch(true, true).look(&settings).is_ok(), "{settings:?} was accepted");
        }
        let strict = watch(false, true);
        assert!(strict.look(&no_fsync()).is_err());
        assert!(strict.look(&sound()).is_ok(), "it was mended");
        assert!(watch(false, false).look(&settings("on", "a")).is_err(), "nobody would hear the warning");
        assert!(watch(false, false).look(&settings("local", "a")).is_ok());
    }
}

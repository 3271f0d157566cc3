//! The schema's migrations, numbered, and the rule by which two versions share a ledger.
//!
//! A migration is applied by `onlyonce ledger migrate`, while programs of the version before go on working. So it keeps to
//! one rule: **it may add, and what it adds may be left out by those who do not know it.** New columns are nullable or have
//! a default; no column that the version before reads or writes is renamed, removed or given another meaning; nothing is
//! required that the version before does not write. What the version before needed is removed one version later. How far
//! back that holds is written beside each migration (`Migration::serves`) and in the database, where an older program reads
//! it: it serves a ledger that is newer than itself if the newest migration serves it, and refuses otherwise.
//!
//! A program needs all migrations that it knows. So the order of an upgrade is: migrate, then replace the programs one by
//! one.
//!
//! All that are missing are applied in one transaction, under a lock that whoever else migrates waits for. It works through
//! a pooler too.

use std::fmt;

use sqlx::{Row as _, postgres::PgRow};

use crate::{
    OpenError, OpenErrorKind, Options,
    address::{Address, Schema},
    connection::Connection,
    error::Cause,
    open::{self, failed, forbidden},
    sql::Sql,
};

/// One step of the schema.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) number: i32,
    pub(crate) name: &'static str,
    /// The oldest schema whose programs may still use the ledger once this was applied.
    pub(crate) serves: i32,
    sql: &'static str,
}

/// All of them, in their order.
pub(crate) const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, name: "begin", serves: 1, sql: include_str!("../migrations/0001_begin.sql") }];

/// What this version needs.
pub(crate) const NEEDED: i32 = 1;

/// What a migration has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The schema that was there; 0: none.
    pub from: i32,
    /// The schema that is there now.
    pub to: i32,
}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        if from == to {
            write!(f, "the schema is at {to} already")
        } else {
            write!(f, "the schema went from {from} to {to}")
        }
    }
}

impl Migration {
    fn checksum(&self) -> [u8; 32] {
        *blake3::hash(self.sql.as_bytes()).as_bytes()
    }
}

/// What was applied, as the database has it.
struct Step {
    number: i32,
    serves: i32,
    checksum: Vec<u8>,
}

/// Applies what is missing.
pub(crate) async fn migrate(options: &Options) -> Result<Migrated, OpenError> {
    let address = Address::parse(&options.url)?;
    let mut connection = open::connect(&address).await?;
    open::check_server(&open::ask_server(&mut connection, &address).await?, &address)?;
    let done = in_transaction(&mut connection, &address).await;
    // Otherwise closing it undoes what was begun.
    if done.is_ok() {
        connection.run(&Sql::fixed("COMMIT")).await.map_err(|cause| failed(&address, cause))?;
    }
    connection.close().await;
    done
}

async fn in_transaction(connection: &mut Connection, address: &Address) -> Result<Migrated, OpenError> {
    let schema = &address.schema;
    let failed = |cause| failed(address, cause);
    connection.run(&Sql::fixed(include_str!("../sql/migrate.sql"))).await.map_err(failed)?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('onlyonce migrate ' || $1, 0))")
        .bind(schema.name());
    connection.rows_patiently(lock).await.map_err(failed)?;
    if !exists(connection, schema).await.map_err(failed)? {
        connection.run(&Sql::of("CREATE SCHEMA {schema}", schema)).await.map_err(failed)?;
    }
    connection.run(&Sql::of(include_str!("../sql/migrations.sql"), schema)).await.map_err(failed)?;
    let rows = connection.rows(sqlx::query(&steps(schema))).await.map_err(failed)?;
    let steps = read_steps(&rows).map_err(failed)?;
    check_steps(&steps, address)?;
    let from = steps.last().map_or(0, |step| step.number);
    for migration in MIGRATIONS.iter().filter(|migration| migration.number > from) {
        connection.run(&Sql::of(migration.sql, schema)).await.map_err(failed)?;
        let insert = Sql::of(
            "INSERT INTO {schema}.migrations (number, name, serves, checksum) VALUES ($1, $2, $3, $4)",
            schema,
        );
        let insert = sqlx::query(&insert)
            .bind(migration.number)
            .bind(migration.name)
            .bind(migration.serves)
            .bind(migration.checksum().to_vec());
        connection.rows(insert).await.map_err(failed)?;
    }
    Ok(Migrated { from, to: from.max(NEEDED) })
}

async fn exists(connection: &mut Connection, schema: &Schema) -> Result<bool, Cause> {
    let query = sqlx::query("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS found")
        .bind(schema.name());
    let rows = connection.rows(query).await?;
    Ok(rows.first().map(|row| row.try_get("found")).transpose()?.unwrap_or(false))
}

/// What was applied, as rows for [`read_steps`].
fn steps(schema: &Schema) -> Sql {
    Sql::of("SELECT number, serves, checksum FROM {schema}.migrations ORDER BY number", schema)
}

fn read_steps(rows: &[PgRow]) -> Result<Vec<Step>, Cause> {
    let read = |row: &PgRow| {
        Ok::<_, sqlx::Error>(Step {
            number: row.try_get("number")?,
            serves: row.try_get("serves")?,
            checksum: row.try_get("checksum")?,
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// What is there must be ours, and not too new.
fn check_steps(steps: &[Step], address: &Address) -> Result<(), OpenError> {
    for (step, migration) in steps.iter().zip(MIGRATIONS) {
        if step.number != migration.number || step.checksum != migration.checksum() {
            let detail = format!(
                "the ledger in {address}: its migration {} is another one than this version's; use the version that \
                 applied it, or restore the schema from a backup",
                step.number
            );
            return Err(OpenError::new(OpenErrorKind::Newer, detail));
        }
    }
    match steps.last() {
        Some(newest) if newest.number > NEEDED && newest.serves > NEEDED => Err(OpenError::new(
            OpenErrorKind::Newer,
            format!(
                "the ledger in {address} has schema {}, which serves versions from schema {} on, and this version knows up \
                 to {NEEDED}: use the version of Onlyonce that migrated it",
                newest.number, newest.serves
            ),
        )),
        _ => Ok(()),
    }
}

/// Whether this version may use what is there.
pub(crate) async fn check(
    connection: &mut Connection,
    address: &Address,
    role: &str,
) -> Result<(), OpenError> {
    let missing = |from: i32| {
        let state = match from {
            0 => "there is no ledger yet".to_owned(),
            _ => format!("it has schema {from}, and this version needs {NEEDED}"),
        };
        OpenError::new(
            OpenErrorKind::Migration,
            format!(
                "missing migration in {address}: {state}; run `onlyonce ledger migrate --ledger …` with this ledger's URL"
            ),
        )
    };
    // Nothing has begun a transaction here, and behind a pooler a statement needs one to reach one server whole.
    let steps =
        match connection.ask(sqlx::query(&steps(&address.schema))).await.map_err(|failed| failed.cause) {
            Ok(rows) => read_steps(&rows).map_err(|cause| failed(address, cause))?,
            Err(cause) if cause.code() == Some(UNDEFINED_TABLE) => return Err(missing(0)),
            Err(cause) if cause.code() == Some(INSUFFICIENT_PRIVILEGE) => {
                return Err(forbidden(role, address, &cause.to_string()));
            }
            Err(cause) => return Err(failed(address, cause)),
        };
    let newest = steps.last().map_or(0, |step| step.number);
    if newest < NEEDED {
        return Err(missing(newest));
    }
    check_steps(&steps, address)
}

const UNDEFINED_TABLE: &str = "42P01";
const INSUFFICIENT_PRIVILEGE: &str = "42501";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_and_serve_the_version_before() {
        for (migration, number) in MIGRATIONS.iter().zip(1..) {
            assert_eq!(migration.number, number);
            assert!(
                migration.serves <= (number - 1).max(1),
                "{} shuts out the version before",
                migration.name
            );
        }
        assert_eq!(MIGRATIONS.last().map(|last| last.number), Some(NEEDED));
    }

    fn step(number: i32, serves: i32) -> Step {
        let known = MIGRATIONS.iter().find(|migration| migration.number == number);
        Step { number, serves, checksum: known.map_or_else(Vec::new, |known| known.checksum().to_vec()) }
    }

    fn checked(steps: &[Step]) -> Result<(), OpenError> {
        check_steps(steps, &Address::parse("postgres://db/pay").unwrap())
    }

    #[test]
    fn a_newer_schema_is_used_as_far_as_it_serves_this_version() {
        let mine = || MIGRATIONS.iter().map(|migration| step(migration.number, migration.serves));
        checked(&mine().collect::<Vec<_>>()).unwrap();
        checked(&mine().chain([step(NEEDED + 1, NEEDED)]).collect::<Vec<_>>()).unwrap();
        let newer = checked(&mine().chain([step(NEEDED + 2, NEEDED + 1)]).collect::<Vec<_>>()).unwrap_err();
        assert_eq!(newer.kind(), OpenErrorKind::Newer);
        let changed = Step { checksum: vec![1], ..step(1, 1) };
        assert_eq!(checked(&[changed]).unwrap_err().kind(), OpenErrorKind::Newer);
    }
}

//! The statements, one file each, with a schema's name put in.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr, SqlStr, postgres::PgArguments};

use crate::address::Schema;

/// Stands for the schema in the files.
const SCHEMA: &str = "{schema}";

/// A statement's text. Holds nothing but what is written in a file, and a schema's validated name.
#[derive(Clone, Debug)]
pub(crate) struct Sql(Arc<str>);

impl Sql {
    /// Leaves out the comments, which would be sent and parsed each time.
    pub(crate) fn of(file: &str, schema: &Schema) -> Self {
        let lines = file.lines().filter(|line| !line.trim_start().starts_with("--"));
        let text = lines.collect::<Vec<_>>().join("\n");
        Self(text.replace(SCHEMA, &schema.quoted()).into())
    }

    /// A statement that names no schema.
    pub(crate) fn fixed(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl SqlSafeStr for &Sql {
    fn into_sql_str(self) -> SqlStr {
        AssertSqlSafe(Arc::clone(&self.0)).into_sql_str()
    }
}

/// A statement with its values.
pub(crate) type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

macro_rules! statements {
    ($($name:ident),* $(,)?) => {
        /// All statements of an open store.
        #[derive(Debug)]
        pub(crate) struct Statements {
            $(pub(crate) $name: Sql,)*
        }

        impl Statements {
            pub(crate) fn of(schema: &Schema) -> Self {
                Self { $($name: Sql::of(include_str!(concat!("../sql/", stringify!($name), ".sql")), schema),)* }
            }
        }
    };
}

statements! {
    apply, audit, body, clock, heads, identity, is_empty, note, open, rows, set_identity, settings, sweep, trim_audit,
}

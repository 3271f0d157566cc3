//! How a server of a test is started.

use crate::tls::Certified;

/// What is said of a PostgreSQL or a Redis.
#[derive(Debug, Default)]
pub struct Options {
    /// Lines of `postgresql.conf` or `redis.conf`; they win over ours.
    pub settings: Vec<(&'static str, String)>,
    /// The password of PostgreSQL's superuser, or of Redis's default user. Without one everybody is let in.
    pub password: Option<&'static str>,
    /// Its certificate. With one, PostgreSQL lets nobody in without TLS, and Redis has a second port for it.
    pub certificate: Option<Certified>,
}

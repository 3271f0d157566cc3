//! The commands against a gateway in this process, whose upstream hangs up on every request.

mod asking;
mod filter;
mod forget;
mod list;
mod settle;

use clap::Parser;
use onlyonce_gateway::{
    Config, Gateway, Running,
    config::{Admin, PrincipalFrom, Route, Settings, Span},
    gateway::Secrets,
};
use onlyonce_testbed::{
    client::{self, Request},
    hostile::{Behaviour, Hostile},
};
use serde_json::Value;

use super::*;

const FREE: &str = "POST /free";

const HELD: &str = "POST /held";

const UNSAID: &str = "POST /unsaid";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

struct Told {
    exit: Exit,
    out: String,
    err: String,
}

struct Desk {
    gateway: Running,
    _upstream: Hostile,
    token: Option<String>,
    user: Option<String>,
}

impl Desk {
    async fn open() -> Self {
        Self::guarded(None).await
    }

    async fn guarded(token: Option<&str>) -> Self {
        let upstream = Hostile::start(Behaviour::ClosesUnanswered).await;
        let any_port = "127.0.0.1:0".parse().unwrap();
        let route = |pattern: &str, settle_after: Option<&str>| Route {
            pattern: pattern.to_owned(),
            settings: Settings {
                settle_after: settle_after.map(|text| Span::parse(text).unwrap()),
                ..Settings::default()
            },
        };
        let mut config = Config {
            listen: any_port,
            upstream: upstream.url(),
            admin: Admin::At(any_port),
            route: vec![route(FREE, Some("0s")), route(HELD, Some("1h")), route(UNSAID, None)],
            ..Config::default()
        };
        config.ledger.url = "memory:".parse().unwrap();
        config.principal.from = PrincipalFrom::Anonymous;
        let secrets = Secrets { admin: token.map(str::to_owned), ..Secrets::default() };
        let gateway = Gateway::start(config, secrets).await.unwrap();
        Self { gateway, _upstream: upstream, token: token.map(str::to_owned), user: Some("ana".to_owned()) }
    }

    /// An operation of this route whose outcome is unknown.
    async fn unknown(&self, route: &str, key: &str) -> String {
        let path = route.split(' ').nth(1).unwrap();
        let answer = client::send(self.gateway.address(), &Request::post(path).key(key)).await.unwrap();
        assert_eq!(answer.header("idempotency-status"), Some("unknown"), "{}", answer.text());
        answer.json()["operation_ref"].as_str().unwrap().to_owned()
    }

    async fn keys(&self, line: &str) -> Told {
        self.asked(line, None).await
    }

    /// Words are split at spaces; `~` is a space within one.
    async fn asked(&self, line: &str, ask: Option<Box<dyn BufRead + '_>>) -> Told {
        let admin = self.gateway.admin().unwrap();
        let words = line.split(' ').map(|word| word.replace('~', " "));
        let all =
            ["keys".to_owned(), "--admin".to_owned(), format!("http://{admin}")].into_iter().chain(words);
        let arguments = match Line::try_parse_from(all) {
            Ok(line) => line.arguments,
            Err(error) => return Told { exit: Exit::Usage, out: String::new(), err: error.to_string() },
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = match arguments.client(self.token.clone()) {
            Ok(client) => {
                let user = self.user.clone();
                run_in(Session { client, user, out: &mut out, err: &mut err, ask }, &arguments.command).await
            }
            Err(failure) => failure.tell(&mut err),
        };
        Told { exit, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
    }

    async fn operation(&self, reference: &str) -> Value {
        serde_json::from_str(&self.keys(&format!("show {reference} --json")).await.out).unwrap()
    }

    async fn state(&self, reference: &str) -> String {
        self.operation(reference).await["state"].as_str().unwrap().to_owned()
    }

    async fn audit(&self) -> Vec<Value> {
        let answer =
            client::send(self.gateway.admin().unwrap(), &Request::get("/api/v1/audit")).await.unwrap();
        answer.json()["entries"].as_array().unwrap().clone()
    }
}

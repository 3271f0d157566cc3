//! What is allowed and yet deserves a thought before it goes into production.

use onlyonce_backends::Place;
use onlyonce_core::{
    carrier::Carrier,
    outcome::{self, Outcome},
};
use onlyonce_http::rules::{Mode, Requirement};

use super::{Config, OnUnknown, PrincipalFrom, Settings, ledger::Url};

/// From here on a status says that something went wrong after the request had arrived.
const SERVER_ERRORS: u16 = 500;

/// What the embedded ledger keeps free: `reserve` of its options.
const LEDGER_RESERVE: u64 = 64 * 1024 * 1024;

impl Config {
    /// One sentence or two on each such thing, with the key that it is about.
    pub fn warnings(&self) -> Vec<String> {
        let routes = self.route.iter().map(|route| (format!("route `{}`", route.pattern), &route.settings));
        let everywhere = self.of_ledger().into_iter().chain(self.of_principal());
        // A route that takes something from the defaults would only repeat it.
        let defaults = of_settings(&self.defaults);
        let of_routes = routes.flat_map(|(name, settings)| {
            let own = of_settings(settings).into_iter().filter(|warning| !defaults.contains(warning));
            own.map(move |warning| format!("{name}: {warning}")).collect::<Vec<_>>()
        });
        let of_defaults = defaults.iter().map(|warning| format!("[defaults]: {warning}"));
        everywhere.map(ToOwned::to_owned).chain(of_defaults).chain(of_routes).collect()
    }

    fn of_ledger(&self) -> Vec<&'static str> {
        if self.ledger.url == Url::from(Place::Memory) {
            return vec![
                "ledger.url: this ledger forgets everything when the process ends; it is for trials",
            ];
        }
        let plain = [
            (
                !self.ledger.must_exist,
                "ledger.must_exist is off: after the first start, set it. A volume that is not mounted, or the wrong \
                 database, then stops the gateway instead of making it forget what was done",
            ),
            (
                (1..=LEDGER_RESERVE).contains(&self.ledger.max_bytes.0),
                "ledger.max_bytes: 64MiB of it are kept free for what is under way, so no key would ever be taken",
            ),
            (
                self.ledger.accept_loss,
                "ledger.accept_loss = true: if the server loses a claim that it acknowledged, a repeat runs again. \
                 Start-up says when it can",
            ),
        ];
        plain.into_iter().filter(|(applies, _)| *applies).map(|(_, warning)| warning).collect()
    }

    fn of_principal(&self) -> Vec<&'static str> {
        let by_authorization = self
            .principal
            .credential
            .iter()
            .any(|carrier| carrier.eq_ignore_ascii_case("header:authorization"));
        let everybody = self.principal.trusted.iter().any(|network| network.ends_with("/0"));
        match self.principal.from {
            PrincipalFrom::Anonymous => vec![
                "principal.from is anonymous: all callers share one scope, and whoever knows a key gets its result",
            ],
            PrincipalFrom::Credential if by_authorization => vec![
                "principal.credential is `authorization`: a caller is as new as its token. If callers refresh theirs, \
                 a repeat with the new one runs again; name them by what stays, or by a trusted header",
            ],
            PrincipalFrom::Header if everybody => {
                vec!["principal.trusted holds the whole internet: anybody can say that they are anybody"]
            }
            PrincipalFrom::Credential | PrincipalFrom::Header => Vec::new(),
        }
    }
}

fn of_settings(settings: &Settings) -> Vec<String> {
    let freed = settings.outcome.iter().filter(|(status, outcome)| {
        **outcome == Outcome::Released
            && **status >= SERVER_ERRORS
            && outcome::by_table(**status, false) != Outcome::Released
    });
    let freed = freed.map(|(status, _)| {
        format!("outcome.{status} = \"release\": a repeat runs again. Only right if your API then has done nothing, and will not")
    });
    let plain = [
        (
            settings.mode == Mode::Observe && settings.key != Requirement::Off,
            "mode = \"observe\": nothing is protected; what would have happened is only told",
        ),
        (settings.fail_open, "fail_open = true: while the ledger cannot be asked, a repeat runs again"),
        (
            settings.on_unknown == OnUnknown::Rerun,
            "on_unknown = \"rerun\": what may have been done is sent again. Your API must hold a unique column on \
             Idempotency-Operation, also against two requests at the same time",
        ),
        (
            settings.carriers.iter().any(|carrier| matches!(carrier, Carrier::Derive(_))),
            "a derived key: two operations with the same members within `retain_key` are one. It guards against double \
             clicks; callers that mean it twice must send a key",
        ),
    ];
    let plain = plain.into_iter().filter(|(applies, _)| *applies).map(|(_, warning)| warning.to_owned());
    plain.chain(freed).collect()
}

//! The storm under `rerun`: in front of the Python example, whose unique column knows an operation again. Clients send
//! a key until it is answered with 201, over all crashes of the gateway and of the bank.

use std::sync::Arc;

use onlyonce_http::fault::Window;

use crate::{
    bank::Bank,
    gateway::{Gateway, Setup},
    kill::{Aim, Hit, armed},
    plan::Plan,
    table::Table,
    traffic::Traffic,
};

mod orders;

use orders::Orders;

/// In one round of so many the bank dies as well.
const BANK_DIES: usize = 3;
/// What a start says if it finds unknown outcomes.
const FOUND_UNKNOWN: &str = "unknown in all: ";

const COLUMNS: &[&str] = &[
    "kills",
    "of the bank",
    "in flight at kill",
    "held in window",
    "keys",
    "were unknown",
    "answered 201",
    "transfers",
    "unknown left",
];

pub(crate) async fn storm(plan: &Plan) -> Table {
    let mut table = Table::new("kill -9 under `rerun`, in front of examples/python/transfers.py", COLUMNS);
    for window in Window::OF_CRASHES {
        let counts = Storm::begin(plan, window).await.rage().await;
        table.row(window.as_str(), &counts);
    }
    table
}

/// The kills of one window, on one ledger and one database.
struct Storm<'a> {
    plan: &'a Plan,
    window: Window,
    bank: Bank,
    gateway: Gateway,
    orders: Arc<Orders>,
    kills: usize,
    bank_kills: usize,
    in_flight: usize,
    held: usize,
}

impl<'a> Storm<'a> {
    async fn begin(plan: &'a Plan, window: Window) -> Self {
        let bank = Bank::open().await;
        let gateway = Gateway::start(&bank.url(), armed(setup(), window)).await;
        let orders = Arc::new(Orders::new(window.as_str(), plan.chance(window.as_str())));
        Self { plan, window, bank, gateway, orders, kills: 0, bank_kills: 0, in_flight: 0, held: 0 }
    }

    async fn rage(mut self) -> [usize; 9] {
        let Plan { kills, .. } = *self.plan;
        let mut found_unknown = false;
        for round in 0..self.plan.rounds() {
            if self.kills == kills {
                break;
            }
            self.strike(round).await;
            self.gateway.restart().await;
            found_unknown |= self.finds_unknown();
        }
        assert_eq!(self.kills, kills, "too few kills in {} caught anything", self.window.as_str());
        assert!(
            found_unknown,
            "no start has said `{FOUND_UNKNOWN}`, so that nothing would show what is left"
        );
        self.gateway.set_up(setup());
        self.gateway.crash_and_restart().await;
        self.orders.send_until_answered(self.gateway.address).await;
        self.gateway.crash_and_restart().await;
        assert!(!self.finds_unknown(), "unknown outcomes are left:\n{}", self.gateway.process.output());
        self.orders.are_all_replayed(self.gateway.address).await;
        let transfers = self.bank.transfers().await;
        self.orders.happened_once(&transfers);
        let Self { bank_kills, in_flight, held, .. } = self;
        let told = self.orders.count();
        [kills, bank_kills, in_flight, held, told.keys, told.unknown, told.answered, transfers.len(), 0]
    }

    /// Kills the gateway under full traffic, with many requests in the window; now and then the bank before it.
    async fn strike(&mut self, round: usize) {
        let mut chance = self.plan.chance(&format!("{}-{round}", self.window.as_str()));
        let aim = Aim::at(self.window, &mut chance);
        let traffic = Traffic::start(self.gateway.address, &self.orders);
        if round % BANK_DIES == BANK_DIES - 1 && aim.holds(&self.gateway, aim.held / 2).await {
            self.bank.crash().await;
            self.bank_kills += 1;
        }
        if let Some(Hit { in_flight, held }) = aim.kill(&mut self.gateway, traffic, chance).await {
            self.kills += 1;
            self.in_flight += in_flight;
            self.held += held;
        }
    }

    /// Whether the gateway's start has found unknown outcomes.
    fn finds_unknown(&self) -> bool {
        self.gateway.process.stderr().iter().any(|line| line.contains(FOUND_UNKNOWN))
    }
}

/// The bank's route as its own `onlyonce.toml` has it, but in a hurry.
fn setup() -> Setup {
    Setup::anonymous().defaults("key = \"required\"\non_unknown = \"rerun\"\nsettle_after = \"1s\"")
}

//! The plan for whoever has nothing behind what is verified but the verifier.

use std::net::SocketAddr;

use super::{Plan, PlanError, Upstream};
use crate::call::Origin;

/// With all operations that checks can need, since the application serves them all.
const PLAN: &str = include_str!("../upstream/plan.toml");

impl Plan {
    /// In the upstream view of the gateway at `target`, which forwards to `listen`.
    ///
    /// # Panics
    /// Never: the plan is written here.
    #[must_use]
    pub fn upstream(target: &Origin, listen: SocketAddr) -> Self {
        let text = PLAN.replace("{target}", &target.to_string()).replace("{listen}", &listen.to_string());
        Self::parse(&text).expect("the plan of the upstream view is valid")
    }

    /// Has the verifier listen there, as the application behind what this plan verifies.
    ///
    /// # Errors
    /// Names an operation that could not be known again.
    pub fn stand_behind(&mut self, listen: SocketAddr) -> Result<(), PlanError> {
        self.operations.are_known_again()?;
        let usual = Upstream { listen, credentials: true };
        self.upstream = Some(Upstream { listen, ..self.upstream.unwrap_or(usual) });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_and_an_address_are_a_plan() {
        let plan =
            Plan::upstream(&"http://127.0.0.1:8080".parse().unwrap(), "127.0.0.1:3000".parse().unwrap());
        assert_eq!(plan.target.port, 8080);
        assert_eq!(plan.upstream.map(|upstream| upstream.listen.port()), Some(3000));
    }

    #[test]
    fn an_operation_that_cannot_be_known_again_is_no_plan_of_the_upstream_view() {
        let plan = "target = \"http://127.0.0.1:1\"\n[upstream]\nlisten = \"127.0.0.1:2\"\n\
                    [operations.create]\nrequest = \"POST /transfers\"\njson = '{\"amount\":1}'";
        let error = Plan::parse(plan).unwrap_err().to_string();
        assert!(error.starts_with("POST /transfers: with [upstream], write {{fresh}} into"), "{error}");
    }
}

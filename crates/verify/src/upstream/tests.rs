//! The application by itself, asked without anything in front of it.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    call::{Lost, Manner, Outcome, Request, Room, Way, Who, exchange},
    plan::{Operation, Part},
};

const PATIENCE: Duration = Duration::from_secs(10);

struct Scene(Application);

impl Scene {
    async fn new() -> Self {
        Self(Application::listen("127.0.0.1:0".parse().unwrap()).await.unwrap())
    }

    /// An operation that the application knows.
    fn operation(&self, part: Part) -> Request {
        let operation = Operation::parse("POST /transfers").unwrap().with_json(r#"{"to":"{{fresh}}"}"#);
        let request = operation.in_part(part).request();
        self.0.expect(&request.token, part);
        request
    }

    fn begin(&self, request: &Request) -> JoinHandle<Outcome> {
        let origin = format!("http://{}", self.0.address()).parse().unwrap();
        let (way, request) = (Way { origin, patience: PATIENCE, room: Room::default() }, request.clone());
        tokio::spawn(async move { exchange(&way, &request).await })
    }

    async fn send(&self, request: &Request) -> Outcome {
        self.begin(request).await.unwrap()
    }
}

#[tokio::test]
async fn an_operation_is_counted_wherever_its_value_stands() {
    let scene = Scene::new().await;
    let in_body = scene.operation(Part::Create);
    let mut in_path = scene.operation(Part::Create).with_body("");
    in_path.path = format!("/transfers/{}?x=1", in_path.token);
    for request in [&in_body, &in_body, &in_path] {
        let answer = scene.send(request).await.unwrap();
        assert_eq!((answer.status, answer.header("location").is_some()), (StatusCode::CREATED, true));
        assert!(answer.header("set-cookie").is_some());
    }
    let effects = |request: &Request| scene.0.effects_of(&request.token);
    assert_eq!((effects(&in_body), effects(&in_path), scene.0.effects()), (2, 1, 3));
    let arrivals = scene.0.arrivals_of(&in_body.token);
    assert_eq!(arrivals.len(), 2);
    assert_eq!(arrivals[0].body, in_body.body);
}

#[tokio::test]
async fn parts_of_a_plan_are_what_their_names_say() {
    let scene = Scene::new().await;
    let mut outcomes = Vec::new();
    for part in [Part::Fails, Part::Refused, Part::Large] {
        let request = scene.operation(part);
        let answer = scene.send(&request).await.unwrap();
        outcomes.push((
            answer.status.as_u16(),
            scene.0.effects_of(&request.token),
            answer.body.len() > 1 << 20,
        ));
    }
    assert_eq!(outcomes, [(500, 1, false), (422, 0, false), (201, 1, true)]);
    let mut read = scene.operation(Part::Read).with_body("");
    read.method = Method::GET;
    assert_eq!(scene.send(&read).await.unwrap().status, StatusCode::OK);
    assert_eq!(scene.0.effects(), 2);
}

#[tokio::test]
async fn what_is_held_goes_on_when_it_is_let_and_though_its_caller_has_gone() {
    let scene = Scene::new().await;
    for (stage, effects) in [(Stage::BeforeEffect, 0), (Stage::AfterEffect, 1), (Stage::MidAnswer, 1)] {
        let request = scene.operation(Part::Create);
        let barrier = Barrier::closed();
        scene.0.follow(&request.token, Script::always(Act::usual().held(stage, &barrier)));
        let begun = scene.begin(&request);
        assert!(barrier.reached(1, PATIENCE).await);
        assert_eq!(scene.0.effects_of(&request.token), effects, "{stage:?}");
        assert!(!begun.is_finished());
        barrier.open();
        assert_eq!(begun.await.unwrap().unwrap().status, StatusCode::CREATED, "{stage:?}");
    }
    let request = scene.operation(Part::Create).sent(Manner::HangUp(Duration::ZERO));
    let (before, after) = (Barrier::closed(), Barrier::closed());
    let held = Act::usual().held(Stage::BeforeEffect, &before);
    scene.0.follow(&request.token, Script::always(held));
    let begun = scene.begin(&request);
    assert!(before.reached(1, PATIENCE).await);
    assert_eq!(begun.await.unwrap().unwrap_err(), Lost::HungUp);
    // Another round trip, in which the server meets the end of that connection.
    let other = scene.operation(Part::Create);
    scene.0.follow(&other.token, Script::always(Act::usual().held(Stage::AfterEffect, &after)));
    let begun = scene.begin(&other);
    assert!(after.reached(1, PATIENCE).await);
    scene.0.turn("a/check");
    assert!(begun.await.unwrap().is_ok(), "a check that ends lets go what it held");
    let counted = async {
        while scene.0.effects_of(&request.token) < 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("the effect is taken though its caller has gone");
    assert!(scene.0.late().is_empty(), "the first effect of an operation is none too many");
}

#[tokio::test]
async fn what_takes_effect_again_after_its_check_is_noted_and_is_no_other_checks() {
    let scene = Scene::new().await;
    let request = scene.operation(Part::Create);
    assert!(scene.send(&request).await.is_ok());
    scene.0.turn("a/check");
    let before = scene.0.effects();
    assert!(scene.send(&request).await.is_ok());
    assert_eq!(scene.0.effects(), before);
    assert!(scene.0.late().iter().any(|line| line.contains("a/check")), "{:?}", scene.0.late());
}

#[tokio::test]
async fn what_is_broken_off_is_no_answer_and_its_effect_is_as_the_stage_says() {
    let scene = Scene::new().await;
    for (stage, effects) in [(Stage::BeforeEffect, 0), (Stage::AfterEffect, 1), (Stage::MidAnswer, 1)] {
        let request = scene.operation(Part::Create);
        scene.0.follow(&request.token, Script::first(Act::usual().cut(stage)));
        let lost = scene.send(&request).await.unwrap_err();
        assert!(matches!(lost, Lost::BrokeOff(_)), "{stage:?}: {lost}");
        assert_eq!(scene.0.effects_of(&request.token), effects, "{stage:?}");
        assert!(scene.send(&request).await.is_ok(), "the script was for the first alone");
    }
}

#[tokio::test]
async fn it_goes_down_and_comes_up_at_the_same_address() {
    let scene = Scene::new().await;
    let request = scene.operation(Part::Create);
    scene.0.down().await.unwrap();
    assert!(matches!(scene.send(&request).await, Err(Lost::NotReached(_))));
    scene.0.up().await.unwrap();
    assert!(scene.send(&request).await.is_ok());
    assert_eq!(scene.0.effects(), 1);
}

#[tokio::test]
async fn who_asks_has_to_show_it_where_the_plan_has_credentials() {
    let scene = Scene::new().await;
    let shown = HeaderMap::from_iter([(http::header::AUTHORIZATION, "Bearer x".parse().unwrap())]);
    scene.0.demand(&shown);
    let mut request = scene.operation(Part::Create);
    request.who = Who::Nobody;
    assert_eq!(scene.send(&request).await.unwrap().status, StatusCode::UNAUTHORIZED);
    request.headers.extend(shown);
    assert_eq!(scene.send(&request).await.unwrap().status, StatusCode::CREATED);
    assert_eq!(scene.0.effects(), 1);
}

#[tokio::test]
async fn a_document_is_replaced_by_its_version() {
    let scene = Scene::new().await;
    let mut put = scene.operation(Part::Resource);
    (put.method, put.path) = (Method::PUT, format!("/documents/{}", put.token));
    let created = scene.send(&put).await.unwrap();
    let tag = created.headers["etag"].clone();
    let stale = put.clone().with_header(http::header::IF_MATCH, tag);
    let mut statuses = vec![created.status.as_u16()];
    for request in [&stale, &stale] {
        statuses.push(scene.send(request).await.unwrap().status.as_u16());
    }
    for method in [Method::GET, Method::DELETE, Method::DELETE] {
        put.method = method;
        statuses.push(scene.send(&put).await.unwrap().status.as_u16());
    }
    assert_eq!(statuses, [201, 200, 412, 200, 204, 404]);
    assert_eq!(scene.0.effects(), 0);
}

//! Bodies that are not what they seem.

use onlyonce_testbed::client::Request;

use crate::{
    gateway::Setup,
    scene::Scene,
    transfer::{assert_executed, assert_problem, assert_replays, send},
};

/// What is not UTF-8 is neither JSON nor a form that could be compared by value: it counts byte by byte.
#[tokio::test]
async fn a_body_that_is_not_utf_8_counts_byte_by_byte() {
    for (kind, one, other) in [
        ("application/json", &b"{\"a\":\"\xff\"}"[..], &b"{\"a\": \"\xff\"}"[..]),
        ("application/json", b"{\"a\":\"\xc3\x28\"}", b"{\"a\":\"\xc3\x29\"}"),
        ("application/x-www-form-urlencoded", b"a=\xff", b"a=\xfe"),
        ("application/x-www-form-urlencoded", b"a=%ff", b"a=%fe"),
    ] {
        let scene = Scene::with(Setup::anonymous()).await;
        let request = |body: &[u8]| Request::post("/").key("k").header("content-type", kind).body(body);
        let first = send(scene.gateway.address, &request(one)).await;
        assert_executed(&first, 201);
        assert_replays(&send(scene.gateway.address, &request(one)).await, &first);
        assert_problem(&send(scene.gateway.address, &request(other)).await, 422, "key-reused");
        assert_eq!(scene.upstream.seen()[0].body, one);
    }
}

/// A body that is coded is compared, kept and sent as it came: nothing here ever inflates it.
#[tokio::test]
async fn a_megabyte_that_would_inflate_to_hundreds_passes_as_a_megabyte() {
    const MEMORY: u64 = 192 << 20;
    let scene = Scene::with(Setup::anonymous()).await;
    let bomb = bomb(1 << 20);
    let request = Request::post("/").key("k").header("content-type", "application/json");
    let request = request.header("content-encoding", "gzip").body(bomb.clone());
    let first = send(scene.gateway.address, &request).await;
    assert_executed(&first, 201);
    assert_replays(&send(scene.gateway.address, &request).await, &first);
    let seen = &scene.upstream.seen()[0];
    assert_eq!((seen.header("content-encoding"), seen.body == bomb), (Some("gzip"), true));
    let most = peak_memory(scene.gateway.process.pid());
    assert!(most < MEMORY, "{most} bytes");
}

#[tokio::test]
async fn a_coded_body_is_measured_as_it_comes() {
    let scene = Scene::with(Setup::anonymous()).await;
    let request = Request::post("/").key("k").header("content-encoding", "gzip").body(bomb((1 << 20) + 1));
    assert_problem(&send(scene.gateway.address, &request).await, 413, "request-too-large");
    scene.assert_left_nothing().await;
}

/// So many bytes of gzip: one zero, and then again and again 258 more (RFC 1951, fixed codes: length 285 and distance 1
/// are thirteen bits), 160 times its own size.
fn bomb(size: usize) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // Bits go into bytes from the lowest up; codes from their highest bit on.
    let begin = "110".chars().chain("00110000".chars());
    let repeat = "1100010100000".chars().cycle();
    let mut bits = begin.chain(repeat);
    while bytes.len() < size {
        let byte = (0..8).filter(|_| bits.next() == Some('1'));
        bytes.push(byte.fold(0, |byte, bit| byte | 1 << bit));
    }
    bytes
}

/// The most memory that a process has had, in bytes.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

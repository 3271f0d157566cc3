//! Heads that cannot be read, or are too large to be.

use crate::{
    scene::{Scene, keyed},
    transfer::assert_problem,
};

#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered_by_the_server_itself() {
    let scene = Scene::new().await;
    for lines in [
        "A: b\r\n folded\r\n",
        "A: b\0c\r\n",
        "A\0: b\r\n",
        "A: b\rc\r\n",
        "A : b\r\n",
        "no colon\r\n",
        ": no name\r\n",
    ] {
        scene.assert_unreadable(400, keyed(lines, "")).await;
    }
    let nul = keyed("Content-Length: 0\r\n", "").replace("Idempotency-Key: k", "Idempotency-Key: k\0");
    scene.assert_unreadable(400, nul).await;
    let rest = "Host: bank.example\r\nIdempotency-Key: k\r\n\r\n";
    for line in [
        "POST /transfers",
        "POST /transfers HTTP/1.2",
        "POST /transfers HTTP/2.0",
        "POST  /transfers  HTTP/1.1",
        "PO ST /transfers HTTP/1.1",
        "POST /trans\0fers HTTP/1.1",
        "POST \\transfers HTTP/1.1",
        " POST /transfers HTTP/1.1",
    ] {
        scene.assert_unreadable(400, format!("{line}\r\n{rest}")).await;
    }
    scene.assert_unreadable(400, b"POST /\xff\xfe HTTP/1.1\r\nHost: h\r\nIdempotency-Key: k\r\n\r\n").await;
    scene.assert_unreadable(400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await;
}

#[tokio::test]
async fn a_head_with_more_than_a_hundred_lines_is_431() {
    let scene = Scene::new().await;
    scene.assert_unreadable(431, keyed(&"A: b\r\n".repeat(99), "")).await;
    // A hundred are read: what is wrong with the key is seen.
    let hundred = keyed(&"A: b\r\n".repeat(98), "").replace(": k\r", ": a,b\r");
    let (_, answer) = scene.tell(hundred).await;
    assert_problem(&answer, 400, "key-invalid");
}

/// Whether the bytes are in one line, in many or in the target.
#[tokio::test]
async fn a_head_of_more_than_32_kib_is_431() {
    let scene = Scene::new().await;
    for size in [33 << 10, 64 << 10, 1 << 20] {
        scene.assert_unreadable(431, keyed(&format!("A: {}\r\n", "x".repeat(size)), "")).await;
    }
    let lines = format!("A: {}\r\n", "x".repeat(1 << 10)).repeat(33);
    scene.assert_unreadable(431, keyed(&lines, "")).await;
    let target = keyed("", "").replace("/transfers", &format!("/transfers?{}", "q".repeat(33 << 10)));
    scene.assert_unreadable(431, target).await;
    let (_, answer) = scene.tell(keyed(&format!("A: {}\r\n", "x".repeat(31 << 10)), "")).await;
    assert_eq!(answer.status, 201);
}

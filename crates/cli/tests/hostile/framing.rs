//! Where a request ends: lengths, chunks, and both.

use crate::{
    scene::{Scene, keyed},
    transfer::assert_problem,
};

#[tokio::test]
async fn a_body_that_ends_before_its_length_leaves_nothing() {
    let scene = Scene::new().await;
    for sent in ["", "a", "abcdefgh"] {
        let mut connection = scene.connect().await;
        connection.write(keyed("Content-Length: 9\r\n", sent).as_bytes()).await.unwrap();
        connection.finish_writing().await.unwrap();
        let answer = connection.answer("POST").await.unwrap();
        assert_problem(&answer, 400, "request-incomplete");
        scene.assert_over(connection, &answer).await;
    }
}

/// The rest is no body and no request either: nobody can put a request of his into somebody else's.
#[tokio::test]
async fn what_follows_the_length_of_a_body_is_not_part_of_it() {
    let scene = Scene::new().await;
    let (mut connection, answer) = scene.tell(keyed("Content-Length: 2\r\n", "abGARBAGE\r\n\r\n")).await;
    assert_eq!((answer.status, scene.upstream.seen()[0].body.as_slice()), (201, &b"ab"[..]));
    let surplus = connection.answer("POST").await.unwrap();
    assert_eq!((surplus.status, surplus.header("connection")), (400, Some("close")));
    assert_eq!(scene.upstream.arrivals(), 1);
}

#[tokio::test]
async fn a_length_that_is_no_length_or_two_is_unreadable() {
    let scene = Scene::new().await;
    for lines in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 3 3\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999999\r\n",
    ] {
        scene.assert_unreadable(400, keyed(lines, "abc")).await;
    }
}

/// Whoever stands in front may have read the length, and take what is behind the last chunk for the body's end.
#[tokio::test]
async fn a_request_with_length_and_chunks_smuggles_nothing() {
    let smuggled =
        "0\r\n\r\nPOST /transfers HTTP/1.1\r\nHost: bank.example\r\nIdempotency-Key: smuggled\r\n\r\n";
    for lines in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    ] {
        let scene = Scene::new().await;
        let (mut connection, answer) = scene.tell(keyed(lines, smuggled)).await;
        assert_eq!(answer.header("connection"), Some("close"), "{lines}");
        let rest = connection.read_to_end().await.unwrap_or_default();
        assert_eq!((rest.as_slice(), scene.upstream.executions("smuggled")), (&b""[..], 0), "{lines}");
        // The parser drops a length that stands behind, and reads the chunks alone, as HTTP allows it to.
        if scene.upstream.arrivals() > 0 {
            assert_eq!((answer.status, scene.upstream.seen()[0].body.as_slice()), (201, &b""[..]), "{lines}");
        } else {
            assert_problem(&answer, 400, "request-ambiguous");
        }
    }
}

#[tokio::test]
async fn a_transfer_coding_that_cannot_be_undone_is_refused() {
    let scene = Scene::new().await;
    let last = "0\r\n\r\n";
    for coding in ["gzip, chunked", "chunked, chunked", "x, chunked"] {
        let request = keyed(&format!("Transfer-Encoding: {coding}\r\n"), last);
        scene.assert_refused(400, "request-ambiguous", request).await;
    }
    for line in [
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ] {
        scene.assert_unreadable(400, keyed(&format!("{line}\r\n"), last)).await;
    }
    let old = keyed("Transfer-Encoding: chunked\r\n", last).replace("HTTP/1.1", "HTTP/1.0");
    let mut connection = scene.connect().await;
    connection.write(old.as_bytes()).await.unwrap();
    let rest = connection.read_to_end().await.unwrap();
    assert!(rest.starts_with(b"HTTP/1.0 400") || rest.starts_with(b"HTTP/1.1 400"), "{rest:?}");
    scene.assert_left_nothing().await;
}

#[tokio::test]
async fn a_chunk_that_is_not_well_formed_leaves_nothing() {
    let scene = Scene::new().await;
    let extension = "e".repeat(20_000);
    let trailers = "a: b\r\n".repeat(2_000);
    for chunks in [
        "zz\r\nab\r\n0\r\n\r\n",
        "-2\r\nab\r\n0\r\n\r\n",
        "0x2\r\nab\r\n0\r\n\r\n",
        "10000000000000002\r\nab\r\n0\r\n\r\n",
        "2\r\nabXX0\r\n\r\n",
        "2\nab\n0\n\n",
        "2;a\nx\r\nab\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        &format!("2;{extension}\r\nab\r\n0\r\n\r\n"),
        &format!("2\r\nab\r\n0\r\n{trailers}\r\n"),
    ] {
        let request = keyed("Transfer-Encoding: chunked\r\n", chunks);
        scene.assert_refused(400, "request-incomplete", request).await;
    }
    let mut connection = scene.connect().await;
    connection.write(keyed("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n").as_bytes()).await.unwrap();
    connection.finish_writing().await.unwrap();
    let answer = connection.answer("POST").await.unwrap();
    assert_problem(&answer, 400, "request-incomplete");
    scene.assert_over(connection, &answer).await;
}

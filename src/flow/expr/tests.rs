use std::time::Duration;

use super::{engine::TIME, *};

/// One call of a built-in function that takes seconds, and asks nobody whether it may.
const HEAVY: &str = "('a'.repeat(1 << 17) + 'ą').indexOf('a'.repeat(1 << 15) + 'b')";

fn js() -> Js {
    Js::new(CancellationToken::new(), None)
}

#[tokio::test]
async fn expressions_give_the_texts_that_upstream_gives() {
    let js = js();
    js.enter(&[("A".into(), "1".into()), ("B".into(), "2".into())])
        .await
        .unwrap();
    for (text, wanted) in [
        ("plain", "plain"),
        ("${A}", "1"),
        ("${A + B}", "12"),
        ("${parseInt(A) + parseInt(B)}", "3"),
        ("\\${A} ${B}", "${A} 2"),
        ("${}", ""),
        ("${null ?? 'foo'}", "foo"),
        ("${[1, 2]}", "(2)[1, 2]"),
        ("${({a: 1})}", "{a: 1}"),
        ("${NOBODY_KNOWS}", "undefined"),
        ("${NOBODY_KNOWS || 'default'}", "default"),
        ("${relativePoint(0.25, 0.5)}", "25%,50%"),
        ("${1 - 1}", "0"),
        ("${0.5}", "0.5"),
        ("${maestro.platform}", "android"),
        ("${json('{\"a\": [1]}').a[0]}", "1"),
        ("zażółć ${'🐈'}", "zażółć 🐈"),
    ] {
        assert_eq!(js.interpolate(text).await.as_deref(), Ok(wanted), "{text}");
    }
}

#[tokio::test]
async fn variables_that_were_set_before_the_first_script_are_read_as_by_a_script() {
    for name in ["A", "true", "a-b", "1", "Math", "output"] {
        let js = js();
        js.set(name, &Value::from("first")).await.unwrap();
        js.set(name, &Value::from("text")).await.unwrap();
        js.set("list", &serde_json::json!([1])).await.unwrap();
        let text = format!("${{ {name} }} ${{list}} ${{A}}");
        let early = js.interpolate(&text).await;
        js.run("").await.unwrap();
        assert_eq!(early, js.interpolate(&text).await, "{name}");
    }
}

#[tokio::test]
async fn output_is_empty_as_long_as_no_script_has_run() {
    let js = js();
    assert_eq!(js.output("remark").await, None);
    js.run("output.remark = 'done'").await.unwrap();
    assert_eq!(js.output("remark").await, Some(Value::from("done")));
    assert_eq!(js.output("caption").await, Some(Value::Null));
}

#[tokio::test]
async fn globals_live_on_and_locals_do_not() {
    let js = js();
    js.run("output.count = 1; const local = 5; var other = 6;")
        .await
        .unwrap();
    js.run("output.count += 1").await.unwrap();
    assert_eq!(js.value("output").await.unwrap(), serde_json::json!({"count": 2}));
    assert_eq!(
        js.text("typeof local + typeof other").await.unwrap(),
        "undefinedundefined"
    );
}

#[tokio::test]
async fn a_scope_gives_back_what_it_covered() {
    let js = js();
    js.enter(&[("A".into(), "outer".into())]).await.unwrap();
    let covered = js
        .enter(&[("A".into(), "inner".into()), ("B".into(), "b".into())])
        .await
        .unwrap();
    assert_eq!(js.interpolate("${A}${B}").await.unwrap(), "innerb");

    js.leave(covered).await.unwrap();

    assert_eq!(js.interpolate("${A}${typeof B}").await.unwrap(), "outerundefined");
}

#[tokio::test]
async fn scripts_have_no_files_no_timers_and_no_network_without_leave() {
    let js = js();
    for name in [
        "require",
        "fetch",
        "process",
        "std",
        "os",
        "setTimeout",
        "XMLHttpRequest",
    ] {
        assert_eq!(js.text(&format!("typeof {name}")).await.unwrap(), "undefined", "{name}");
    }
    let error = js.text("http.get('http://127.0.0.1/')").await.unwrap_err();
    assert!(error.to_string().contains("does not allow `http`"), "{error}");
}

#[tokio::test]
async fn an_endless_script_is_stopped_and_the_engine_lives_on() {
    let js = js();
    assert_eq!(js.run("while (true) {}").await, Err(ScriptError::TooLong(TIME)));
    assert_eq!(js.text("1 + 1").await.as_deref(), Ok("2"));
}

#[tokio::test]
async fn a_script_is_given_up_at_its_limit_whatever_it_is_in() {
    let js = js();
    assert_eq!(js.run(HEAVY).await, Err(ScriptError::TooLong(TIME)));
    assert_eq!(
        js.text("1 + 1").await,
        Err(ScriptError::TooLong(TIME)),
        "nobody knows what it left behind"
    );
}

/// If the script held up its thread, the stop would come after its end, and it would have an answer.
#[tokio::test]
async fn a_script_holds_up_nobody_and_is_stopped_whatever_it_is_in() {
    let cancel = CancellationToken::new();
    let js = Js::new(cancel.clone(), Some(HttpAccess { hosts: [].into() }));
    let others = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cancel.cancel();
    };

    let (ended, ()) = tokio::join!(js.run(HEAVY), others);

    assert_eq!(ended, Err(ScriptError::Stopped));
}

#[tokio::test]
async fn a_stop_ends_a_running_script() {
    let cancel = CancellationToken::new();
    let js = Js::new(cancel.clone(), None);
    cancel.cancel();
    assert_eq!(js.run("while (true) {}").await, Err(ScriptError::Stopped));
}

#[tokio::test]
async fn a_script_that_eats_memory_or_stack_fails_alone() {
    let js = js();
    assert!(
        js.run("const a = []; while (true) a.push(new ArrayBuffer(3e7))")
            .await
            .is_err()
    );
    assert!(js.run("(function f() { f(); })()").await.is_err());
    assert_eq!(js.text("1 + 1").await.as_deref(), Ok("2"));
}

#[tokio::test]
async fn what_scripts_log_can_be_read() {
    let js = js();
    js.run("console.log('a', [1], {b: 2})").await.unwrap();
    assert_eq!(js.take_log(), ["a (1)[1] {b: 2}"]);
    assert!(js.take_log().is_empty());
}

#[tokio::test]
async fn errors_say_what_was_thrown() {
    for (code, told) in [
        ("nothing.at.all", "TypeError: cannot read property 'at' of undefined"),
        ("1 +", "SyntaxError: unexpected token in expression: ''"),
        ("(() => { throw new Error('no such user') })()", "no such user"),
        ("const a = {};\na.b();", "TypeError: not a function (line 2, column 3)"),
    ] {
        let error = js().text(code).await.unwrap_err();
        assert_eq!(error.to_string(), format!("script failed: {told}"));
    }
}

#[tokio::test]
async fn what_waits_for_promises_goes_on_and_its_failure_is_seen() {
    let js = js();
    js.run("(async () => { await null; output.a = await 5 })()")
        .await
        .unwrap();
    assert_eq!(js.text("output.a").await.as_deref(), Ok("5"));
    js.run("Promise.reject(1).catch(() => { output.b = 'caught' })")
        .await
        .unwrap();
    assert_eq!(js.text("output.b").await.as_deref(), Ok("caught"));
    let error = js.run("(async () => { await null; throw new Error('late') })()").await;
    assert_eq!(error, Err(ScriptError::Threw("late".to_owned())));
    assert_eq!(js.text("1 + 1").await.as_deref(), Ok("2"));
    // Without an answer of its own, which would wait for the next one and be kept: the memory would end first.
    let endless = "const again = () => { Promise.resolve().then(again) }; again()";
    assert_eq!(js.run(endless).await, Err(ScriptError::TooLong(TIME)));
}

/// Answers one request, whatever it asks, with `body`.
fn one_answer(body: &'static str) -> (String, std::thread::JoinHandle<()>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        let mut byte = [0];
        while !seen.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            seen.push(byte[0]);
        }
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
    };
    (host, std::thread::spawn(serve))
}

#[tokio::test]
async fn scripts_with_leave_make_requests_and_see_what_went_wrong() {
    let (host, server) = one_answer("{\"name\": \"anna\"}");
    let access = HttpAccess {
        hosts: std::sync::Arc::from([host.clone()]),
    };
    let js = Js::new(CancellationToken::new(), Some(access));

    let name = js.text(&format!("json(http.get('http://{host}/').body).name")).await;
    let caught = js
        .text("(() => { try { http.get('http://127.0.0.2:1/') } catch (error) { return error.message } })()")
        .await;

    assert_eq!(name.as_deref(), Ok("anna"));
    let caught = caught.unwrap();
    assert!(
        caught.contains("GET http://127.0.0.2:1/: ") && caught.contains("flows.http_hosts"),
        "{caught}"
    );
    server.join().unwrap();
}

#[tokio::test]
async fn a_stop_ends_a_script_that_waits_for_an_answer() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = silent.local_addr().unwrap().to_string();
    let access = HttpAccess {
        hosts: std::sync::Arc::from([host.clone()]),
    };
    let cancel = CancellationToken::new();
    let js = Js::new(cancel.clone(), Some(access));
    let stopper = std::thread::spawn(move || {
        let _request = silent.accept().unwrap();
        cancel.cancel();
    });

    let ended = js
        .run(&format!(
            "while (true) {{ try {{ http.get('http://{host}/') }} catch (error) {{ }} }}"
        ))
        .await;

    assert_eq!(ended, Err(ScriptError::Stopped));
    stopper.join().unwrap();
}

#[tokio::test]
async fn what_is_thrown_is_told_as_its_author_wrote_it() {
    let js = js();
    for (code, told) in [
        ("(() => { throw 'plain text' })()", "threw plain text"),
        ("(() => { throw { a: 1 } })()", "threw {\"a\":1}"),
        ("(() => { throw null })()", "threw null"),
        ("(() => { throw undefined })()", "threw something without a text"),
        (
            "(() => { throw { toJSON() { throw 1 } } })()",
            "threw something without a text",
        ),
    ] {
        let error = js.interpolate(&format!("${{{code}}}")).await.unwrap_err();
        assert_eq!(error.to_string(), format!("script failed: {told}"));
        assert_eq!(js.interpolate("${1 + 1}").await.unwrap(), "2");
    }
}

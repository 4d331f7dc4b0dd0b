use actix_web::test::TestRequest;
use farmhand_actors::{
    domain::{Attempt, AttemptId, FailureReason, Purpose, Source, Status, StepRecord, StepState, Submitted, TaskId},
    ports::SubmitResult,
    router::RouterError,
};
use serde_json::{Value, json};

use crate::http::testing::{Api, now, script, serial, username};

fn body() -> Value {
    json!({"serials": ["device_serial_1", "device_serial_2"], "script_name": "post", "script_config": {}})
}

#[actix_web::test]
async fn created_tasks_are_answered_with_their_ids() {
    let api = Api::new();

    let reply = api.post("/api/v1/task", body()).await;

    let data = json!({"task_ids": [101, 102], "created_count": 2, "warnings": ["a file is not there yet"]});
    assert_eq!(reply.json(), json!({"code": 0, "message": "success", "data": data}));
    let submitted = api.tasks.submitted.lock().unwrap();
    assert_eq!(
        (submitted[0].source, submitted[0].idempotency.is_none()),
        (Source::Api, true)
    );
}

#[actix_web::test]
async fn a_request_that_was_answered_gets_that_answer_before_it_is_looked_at() {
    let api = Api::new();
    let answer = Submitted {
        task_ids: vec![TaskId(7)],
        warnings: Vec::new(),
    };
    let answers = [
        ("seen".to_owned(), SubmitResult::Replayed(answer)),
        ("other".to_owned(), SubmitResult::KeyReused),
    ];
    api.reads.answers.lock().unwrap().extend(answers);
    // What it names may be gone by now, scripts too.
    let post = |key: &str| {
        TestRequest::post()
            .uri("/api/v1/task")
            .insert_header(("idempotency-key", key))
            .set_json(json!({"usernames": ["gone"], "script_name": "no_more"}))
    };

    assert_eq!(api.send(post("seen")).await.data()["task_ids"], json!([7]));
    assert_eq!(api.send(post("other")).await.code(), 40901);
    assert_eq!(api.send(post("new")).await.code(), 40003);
    assert!(api.tasks.submitted.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn the_headers_of_a_request_are_heeded() {
    let api = Api::new();
    let post = |name: &str, value: &str| {
        TestRequest::post()
            .uri("/api/v1/task")
            .insert_header((name.to_owned(), value.to_owned()))
            .set_json(body())
    };

    assert_eq!(api.send(post("idempotency-key", "order-1")).await.code(), 0);
    assert_eq!(api.send(post("x-farmhand-source", "ui")).await.code(), 0);
    let wrong = api.send(post("idempotency-key", "a\tb")).await;

    assert_eq!(
        (wrong.code(), wrong.faults()),
        (40001, vec!["Idempotency-Key".to_owned()])
    );
    let submitted = api.tasks.submitted.lock().unwrap();
    assert_eq!(submitted[0].idempotency.as_ref().unwrap().key, "order-1");
    assert_eq!(submitted[1].source, Source::Ui);
}

#[actix_web::test]
async fn faults_are_answered_by_their_codes_and_nothing_is_created() {
    let api = Api::new();

    let none = api.post("/api/v1/task", json!({})).await;
    assert_eq!((none.status.as_u16(), none.code()), (400, 40002));
    assert_eq!(none.faults(), ["serials", "script_config"]);
    let unknown = api
        .post(
            "/api/v1/task",
            json!({"serials": ["a"], "script_name": "x", "script_config": {}}),
        )
        .await;
    assert_eq!(
        (unknown.code(), &unknown.data()["supported"]),
        (40003, &json!(["follow", "post", "unfollow"]))
    );
    let invalid = api
        .post(
            "/api/v1/task",
            json!({"script_name": "post", "script_config": {"captions": 1}}),
        )
        .await;
    assert_eq!(
        (invalid.code(), invalid.faults()),
        (40001, vec!["serials".into(), "script_config.captions".into()])
    );

    assert!(api.tasks.submitted.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn what_the_router_refuses_names_every_name() {
    let api = Api::new();
    let refuse = |error| *api.tasks.fails.lock().unwrap() = Some(error);

    refuse(RouterError::UnknownDevices(vec![serial("a"), serial("b")]));
    let devices = api.post("/api/v1/task", body()).await;
    assert_eq!(
        (devices.code(), &devices.data()["unknown"]),
        (40401, &json!(["a", "b"]))
    );
    refuse(RouterError::UnknownAccounts(vec![username("x")]));
    assert_eq!(api.post("/api/v1/task", body()).await.data()["unknown"], json!(["x"]));
    refuse(RouterError::NoAccounts(vec![serial("a"), serial("b")]));
    assert_eq!(api.post("/api/v1/task", body()).await.faults().len(), 2);
    refuse(RouterError::Unbound(vec![username("x")]));
    assert_eq!(api.post("/api/v1/task", body()).await.faults(), ["usernames"]);
    for (of_accounts, field) in [(false, "serials"), (true, "usernames")] {
        refuse(RouterError::TooMany {
            of_accounts,
            wanted: 20,
            limit: 10,
        });
        assert_eq!(api.post("/api/v1/task", body()).await.faults(), [field]);
    }
    refuse(RouterError::KeyReused);
    assert_eq!(api.post("/api/v1/task", body()).await.code(), 40901);
}

#[actix_web::test]
async fn a_task_is_shown_whole() {
    let api = Api::new();
    api.reads.attempts.lock().unwrap().push(attempt());

    let data = api.get("/api/v1/task/2").await.data();

    let attempt = json!({
        "number": 1,
        "purpose": "execute",
        "serial": "device_serial_1",
        "username": null,
        "started_at": "2026-11-23T12:00:00.500Z",
        "finished_at": null,
        "outcome": null,
        "flow_hash": "0f".repeat(32),
        "steps": [{
            "index": 1,
            "command": "tapOn",
            "label": "Tap on Post",
            "state": "failed",
            "started_at": "2026-11-23T12:00:00.500Z",
            "duration_ms": 12,
            "error": "not found",
            "selector": "id: post",
            "matched": {"id": "post", "text": "", "description": "", "bounds": bounds()},
            "waited_ms": 5,
            "detail": {
                "selector": "id: post", "waited_ms": 5, "at": [1, 2],
                "matched": {"id": "post", "text": "", "description": "", "bounds": bounds()},
            },
            "screenshot": "/api/v1/evidence/2/1.png",
            "hierarchy": "/api/v1/evidence/2/1.xml",
        }],
    });
    let wanted = json!({
        "id": 2,
        "batch_id": "01J00000000000000000000000",
        "script_name": "post",
        "script_config": {"content_type": 0},
        "serial": "device_serial_1",
        "username": "user1",
        "enable_multi_account": false,
        "source": "api",
        "status": 3,
        "status_text": "failed",
        "start_time": "14:30",
        "scheduled_at": "2026-11-23T14:30:00.000Z",
        "created_at": "2026-11-23T12:00:00.500Z",
        "started_at": "2026-11-23T12:00:00.500Z",
        "finished_at": "2026-11-23T12:00:00.500Z",
        "schedule_id": null,
        "priority": 0,
        "retry_count": 0,
        "progress": {"step": 3, "steps": 12, "label": "Publish"},
        "remark": "waits",
        "failure": {"reason": "stopped", "message": "a person stopped it", "step": 3, "retryable": true},
        "attempts": [attempt],
    });
    assert_eq!(data, wanted);
}

fn bounds() -> Value {
    json!({"left": 0, "top": 1, "right": 2, "bottom": 3})
}

fn attempt() -> Attempt {
    let step = StepRecord {
        index: 1,
        command: "tapOn".to_owned(),
        label: "Tap on Post".to_owned(),
        state: StepState::Failed,
        started_at: now(),
        duration_ms: Some(12),
        error: Some("not found".to_owned()),
        detail: Some(json!({
            "selector": "id: post", "waited_ms": 5, "at": [1, 2],
            "matched": {"id": "post", "text": "", "description": "", "bounds": bounds()},
        })),
        screenshot: Some("2/1.png".to_owned()),
        hierarchy: Some("2/1.xml".to_owned()),
    };
    Attempt {
        id: AttemptId(9),
        number: 1,
        purpose: Purpose::Execute,
        serial: serial("device_serial_1"),
        username: None,
        started_at: now(),
        finished_at: None,
        outcome: None,
        flow_hash: Some("0f".repeat(32)),
        steps: vec![step],
    }
}

#[actix_web::test]
async fn a_pending_task_says_what_it_waits_for() {
    let api = Api::new();

    let pending = api.get("/api/v1/task/1").await.data();
    assert_eq!(pending["waiting_for"], "device device_serial_1 is offline");
    let listed = api.get("/api/v1/task").await.data()["items"].clone();
    for task in listed.as_array().unwrap() {
        let silent = task["status"] == 0 && task["remark"] == "";
        assert!(!silent, "a list says it, too: {task}");
    }
    *api.tasks.fails.lock().unwrap() = Some(RouterError::TimedOut);
    assert_eq!(api.get("/api/v1/task/1").await.data()["waiting_for"], Value::Null);
    assert_eq!(api.get("/api/v1/task").await.code(), 0);
}

#[test]
fn a_remark_says_what_is_waited_for_until_a_stored_one_does() {
    for (stored, reason, shown) in [
        ("", Some("device x is offline"), "device x is offline"),
        (
            "the phone went away",
            Some("device x is offline"),
            "the phone went away",
        ),
        ("", None, ""),
    ] {
        let mut task = json!({ "remark": stored });
        super::add_waiting_for(task.as_object_mut().unwrap(), reason.map(str::to_owned));
        assert_eq!(task, json!({ "remark": shown, "waiting_for": reason }));
    }
}

#[actix_web::test]
async fn whatever_is_no_id_of_a_task_is_not_found() {
    let api = Api::new();

    for id in [
        "99",
        "0",
        "-1",
        "+1",
        "1.0",
        "word",
        "99999999999999999999",
        "1%20",
        "%F0%9F%98%80",
        "0x1",
        "%FF",
        "%00",
    ] {
        for (request, path) in [
            (TestRequest::get(), ""),
            (TestRequest::post(), "/stop"),
            (TestRequest::post(), "/retry"),
            (TestRequest::post().set_json(json!({"outcome": "done"})), "/resolve"),
        ] {
            if id == "99" && !path.is_empty() {
                continue;
            }
            let reply = api.send(request.uri(&format!("/api/v1/task/{id}{path}"))).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (404, 40401), "{id}{path}");
        }
    }
    assert_eq!(api.delete("/api/v1/task/word").await.code(), 40401);
    assert_eq!(api.delete("/api/v1/task/100").await.code(), 40401);
}

#[actix_web::test]
async fn lists_are_filtered_strictly() {
    let api = Api::new();

    let all = api.get("/api/v1/task").await.data();
    assert_eq!(
        (&all["total"], &all["page"], &all["page_size"]),
        (&json!(2), &json!(1), &json!(20))
    );
    let query = "status=3&serial=a&username=@Anna&script_name=post&source=ui&batch_id=01J0&failure_reason=timeout\
                 &page=7&page_size=100";
    assert_eq!(api.get(&format!("/api/v1/task?{query}")).await.code(), 0);
    let (filter, page, page_size) = api.reads.filters.lock().unwrap()[1].clone();
    assert_eq!((page, page_size, filter.status), (7, 100, Some(Status::Failed)));
    assert_eq!(
        (filter.username, filter.script_name),
        (Some(username("anna")), Some(script("post")))
    );
    assert_eq!(
        (filter.source, filter.failure_reason),
        (Some(Source::Ui), Some(FailureReason::Timeout))
    );

    for (query, field) in [
        ("status=4", "status"),
        ("status=", "status"),
        ("status=pending", "status"),
        ("status=%2B1", "status"),
        ("serial=", "serial"),
        ("username=", "username"),
        ("script_name=a/b", "script_name"),
        ("source=web", "source"),
        ("batch_id=%25", "batch_id"),
        ("failure_reason=bad", "failure_reason"),
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=99999999999999999999", "page"),
        ("page_size=101", "page_size"),
        ("page_size=1e9", "page_size"),
        ("page=1&page=2", "page"),
        ("stauts=1", "stauts"),
    ] {
        let reply = api.get(&format!("/api/v1/task?{query}")).await;
        assert_eq!(
            (reply.code(), reply.faults()),
            (40001, vec![field.to_owned()]),
            "{query}"
        );
    }
    assert_eq!(api.get("/api/v1/task?status=9&page=0&x=1").await.faults().len(), 3);
}

#[actix_web::test]
async fn tasks_are_deleted_one_by_one_and_in_batches() {
    let api = Api::new();
    let batch = |body: Value| {
        let request = TestRequest::delete().uri("/api/v1/task/batch").set_json(body);
        api.send(request)
    };

    assert_eq!(api.delete("/api/v1/task/5").await.data()["deleted"], json!([5]));
    let data = batch(json!({"task_ids": [1, 200, 1]})).await.data();
    assert_eq!(data, json!({"deleted_count": 1, "deleted": [1], "not_found": [200]}));

    for (body, field) in [
        (json!({}), "task_ids"),
        (json!({"task_ids": []}), "task_ids"),
        (json!({"task_ids": 5}), "task_ids"),
        (json!({"task_ids": [1, "2"]}), "task_ids[1]"),
        (json!({"task_ids": [0]}), "task_ids[0]"),
        (json!({"task_ids": (1..=1001).collect::<Vec<_>>()}), "task_ids"),
        (json!({"task_ids": [1], "ids": [1]}), "ids"),
    ] {
        let reply = batch(body.clone()).await;
        assert_eq!(
            (reply.code(), reply.faults()),
            (40001, vec![field.to_owned()]),
            "{body}"
        );
    }
    assert_eq!(
        batch(json!({"task_ids": (1..=1000).collect::<Vec<_>>()})).await.code(),
        0
    );
}

#[actix_web::test]
async fn stop_retry_and_resolve_answer_the_task() {
    let api = Api::new();

    assert_eq!(
        api.send(TestRequest::post().uri("/api/v1/task/2/stop")).await.data()["id"],
        2
    );
    assert_eq!(api.post("/api/v1/task/2/retry", json!({})).await.data()["id"], 2);
    let resolved = api
        .post("/api/v1/task/2/resolve", json!({"outcome": "not_done", "note": "seen"}))
        .await;
    assert_eq!(resolved.data()["id"], 2);
    for body in [
        json!({}),
        json!({"outcome": "maybe"}),
        json!({"outcome": true}),
        json!({"outcome": "done", "x": 1}),
    ] {
        assert_eq!(api.post("/api/v1/task/2/resolve", body).await.code(), 40001);
    }

    let asked = api.tasks.asked.lock().unwrap().clone();
    assert_eq!(asked, ["stop 2", "retry 2", "resolve 2 false \"seen\""]);
}

#[actix_web::test]
async fn all_failed_tasks_are_retried_with_or_without_a_body() {
    let api = Api::new();
    let all = || TestRequest::post().uri("/api/v1/task/retry-all");

    let data = api.send(all()).await.data();
    let skipped = json!([{"id": 2, "reason": "outcome_unknown"}]);
    assert_eq!(data, json!({"retried_count": 1, "task_ids": [1], "skipped": skipped}));
    assert_eq!(
        api.send(all().set_json(json!({"include_unknown": true}))).await.code(),
        0
    );
    assert_eq!(
        api.send(all().set_json(json!({"include_unknown": "yes"}))).await.code(),
        40001
    );
    // Else it would mean none, where the list says that there is no such batch.
    let no_batch = api.send(all().set_json(json!({"batch_id": ""}))).await;
    assert_eq!(no_batch.faults(), ["batch_id"]);
    assert_eq!(*api.tasks.asked.lock().unwrap(), ["retry_all false", "retry_all true"]);
}

#[actix_web::test]
async fn counts_are_shown_as_they_are() {
    let data = Api::new().get("/api/v1/task/stats").await.data();

    assert_eq!(
        data,
        json!({"total": 10, "pending": 1, "running": 2, "completed": 3, "failed": 4})
    );
}

#[actix_web::test]
async fn a_call_that_takes_no_fields_refuses_them_instead_of_passing_them_over() {
    let api = Api::new();
    for path in ["/api/v1/task/7/stop", "/api/v1/task/7/retry"] {
        for (body, field, message) in [
            (json!({ "force": true }), "force", "unknown field; none is taken here"),
            (json!([1]), "body", "must be a JSON object, not an array"),
        ] {
            let reply = api.post(path, body).await;
            assert_eq!(
                (reply.code(), reply.faults()),
                (40001, vec![field.to_owned()]),
                "{path}"
            );
            assert!(String::from_utf8_lossy(&reply.body).contains(message), "{path}");
        }
        let bare = api.send(TestRequest::post().uri(path)).await;
        assert_eq!(bare.code(), api.post(path, json!({})).await.code(), "{path}");
        assert_ne!(bare.code(), 40001, "{path}");
    }
}

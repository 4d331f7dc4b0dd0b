//! The words of the code and the words that the schema's CHECKs allow are the same.

use farmhand_actors::domain::{
    AccountStatus, EffectState, EventTopic, FailureReason, MediaKind, Purpose, StepState, TaskState, schedule::Misfire,
};
use sqlx::{ConnectOptions, Row, sqlite::SqliteConnectOptions};

use super::*;

/// The words that the CHECK of a column lists.
async fn words(table: &str, column: &str) -> Vec<String> {
    let farm = Farm::new().await;
    let mut conn = SqliteConnectOptions::new()
        .filename(farm.path())
        .connect()
        .await
        .expect("connects");
    let row = sqlx::query("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1")
        .bind(table.to_owned())
        .fetch_one(&mut conn)
        .await
        .expect("is there");
    let sql: String = row.get(0);
    let column_sql = definition_of(&sql, column);
    let mut words = column_sql
        .split('\'')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect::<Vec<_>>();
    words.sort();
    words
}

/// The words in quotes between the parentheses of a column's CHECK.
fn definition_of<'a>(table: &'a str, column: &str) -> &'a str {
    let (_, after) = table.split_once(&format!("\n    {column} ")).expect("has the column");
    let (_, check) = after.split_once("CHECK (").expect("has a CHECK");
    let mut depth = 1;
    let end = check.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    &check[..end.expect("ends")]
}

fn sorted<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut words = words.into_iter().map(str::to_owned).collect::<Vec<_>>();
    words.sort();
    words
}

#[tokio::test]
async fn the_schema_knows_the_words_of_the_code_and_no_others() {
    let reasons = FailureReason::ALL.map(FailureReason::as_str);
    let outcomes = reasons.into_iter().chain(["completed", "unverified", "abandoned"]);
    let purposes = [Purpose::Execute, Purpose::Verify].map(Purpose::as_str);
    let steps = [
        StepState::Running,
        StepState::Completed,
        StepState::Skipped,
        StepState::Warned,
        StepState::Failed,
    ];
    let topics = [
        EventTopic::Task,
        EventTopic::Device,
        EventTopic::Account,
        EventTopic::Supervisor,
    ];

    for (table, column, wanted) in [
        ("task", "state", sorted(TaskState::ALL.map(TaskState::as_str))),
        ("task", "source", sorted([Source::Api, Source::Ui].map(Source::as_str))),
        ("task", "purpose", sorted(purposes)),
        ("task", "failure_reason", sorted(reasons)),
        ("attempt", "purpose", sorted(purposes)),
        ("attempt", "outcome", sorted(outcomes)),
        ("step", "state", sorted(steps.map(StepState::as_str))),
        ("effect", "state", sorted(EffectState::ALL.map(EffectState::as_str))),
        (
            "account",
            "status",
            sorted(AccountStatus::ALL.map(AccountStatus::as_str)),
        ),
        (
            "material",
            "kind",
            sorted([MediaKind::Video, MediaKind::Image].map(MediaKind::as_str)),
        ),
        ("event", "topic", sorted(topics.map(EventTopic::as_str))),
        ("schedule", "misfire", sorted(Misfire::ALL.map(Misfire::as_str))),
    ] {
        assert_eq!(words(table, column).await, wanted, "{table}.{column}");
    }
}

#[tokio::test]
async fn the_status_column_is_the_status_of_the_state() {
    let farm = Farm::new().await;
    let mut conn = SqliteConnectOptions::new()
        .filename(farm.path())
        .connect()
        .await
        .expect("connects");
    for state in TaskState::ALL {
        let finished = matches!(state, TaskState::Completed | TaskState::Failed).then_some(1_i64);
        let row = sqlx::query(
            "INSERT INTO task (batch_id, script_name, enable_multi_account, source, priority, rank, state, created_at,
                               finished_at, failure_reason, config)
             VALUES ('b', 's', 0, 'api', 0, 0, ?1, 0, ?2, ?3, '{}') RETURNING status",
        )
        .bind(state.as_str())
        .bind(finished)
        .bind((state == TaskState::Failed).then_some("timeout"))
        .fetch_one(&mut conn)
        .await
        .expect("inserts");
        assert_eq!(row.get::<i64, _>(0), state.status().number(), "{state:?}");
    }
}

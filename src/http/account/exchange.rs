//! Accounts in and out in bulk, as CSV and as JSON. What was exported can be imported again.

use std::collections::HashSet;

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, http::header, web};
use farmhand_actors::{
    domain::{AccountStatus, FieldError, Serial, Username},
    supervisor::{AccountEdit, AccountSnapshot},
};
use serde_json::{Map, Value, json};

use super::{
    fields::{Known, WRITABLE, read_new, read_patch},
    limits_view,
};
use crate::http::{
    body::{OptionalJsonBody, check_type, read_body},
    csv,
    envelope::{Answer, ApiError, success},
    fields::{Fields, echo, kind_of, unknown},
    query::Query,
    state::App,
};

/// Most accounts in one import.
const ACCOUNTS_LIMIT: usize = 10_000;

/// `GET /api/v1/account/export`
pub async fn export(app: web::Data<App>, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request, &["format"]);
    let csv = query.parsed("format", |word| match word {
        "csv" => Ok(true),
        "json" => Ok(false),
        _ => Err("must be \"csv\" or \"json\""),
    });
    let csv = query.finish(csv)?.unwrap_or_else(|| accepts_csv(&request));
    let accounts = app.state.farm.accounts().await?;
    Ok(if csv {
        export_csv(&accounts)
    } else {
        success(&json!({ "accounts": exported(&accounts) }))
    })
}

/// `POST /api/v1/account/import`: accounts that exist are changed by the fields that are there, the others created.
/// Nothing is done when anything is wrong with any of them.
pub async fn import(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Answer {
    let (rows, faults) = read_rows(&request, payload).await?;
    let accounts = parse_rows(&app, &rows, faults).await?;
    write(&app, accounts).await
}

fn accepts_csv(request: &HttpRequest) -> bool {
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/csv"))
}

fn exported(accounts: &[AccountSnapshot]) -> Vec<Value> {
    let row = |account: &AccountSnapshot| {
        json!({
            "username": account.record.username,
            "app": account.record.app,
            "package": account.record.package,
            "serial": account.record.serial,
            "status": account.record.status.as_str(),
            "limits": limits_view(&account.record.limits),
        })
    };
    accounts.iter().map(row).collect()
}

fn export_csv(accounts: &[AccountSnapshot]) -> HttpResponse {
    let mut text = csv::write(WRITABLE);
    for row in exported(accounts) {
        let cell = |name: &&str| match row.get(*name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Object(object)) if !object.is_empty() => Value::Object(object.clone()).to_string(),
            _ => String::new(),
        };
        let cells: Vec<String> = WRITABLE.iter().map(cell).collect();
        text.push_str(&csv::write(cells.iter().map(String::as_str)));
    }
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"accounts.csv\""))
        .body(text)
}

/// Where a row stands (for faults), and its fields.
type Row = (String, Value);

/// The rows that can be read, and the faults of the others.
type Rows = (Vec<Row>, Vec<FieldError>);

async fn read_rows(request: &HttpRequest, payload: web::Payload) -> Result<Rows, ApiError> {
    let wanted = "application/json or text/csv";
    check_type(request, &["application/json", "text/csv"], wanted)?;
    let mut payload = payload.into_inner();
    if request.content_type().eq_ignore_ascii_case("text/csv") {
        let bytes = read_body(request, payload).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| ApiError::invalid("body", "must be UTF-8"))?;
        return csv_rows(text);
    }
    let OptionalJsonBody(body) = OptionalJsonBody::from_request(request, &mut payload).await?;
    Ok((json_rows(body.unwrap_or(Value::Null))?, Vec::new()))
}

fn json_rows(body: Value) -> Result<Vec<Row>, ApiError> {
    let list = match body {
        Value::Array(list) => list,
        // What the export answered, envelope and all.
        Value::Object(mut object) if object.contains_key("code") && object.contains_key("data") => {
            return json_rows(object.remove("data").unwrap_or_default());
        }
        Value::Object(object) => {
            let mut fields = Fields::new(&object, String::new(), &["accounts"]);
            let list = fields.array("accounts", ACCOUNTS_LIMIT);
            let list = fields.required("accounts", list).unwrap_or_default().to_vec();
            fields.finish(list)?
        }
        other => {
            let wanted = "must be an array of accounts, or an object with one in \"accounts\"";
            return Err(ApiError::invalid("body", format!("{wanted}, not {}", kind_of(&other))));
        }
    };
    Ok(list
        .into_iter()
        .enumerate()
        .map(|(place, row)| (format!("accounts[{place}]"), row))
        .collect())
}

/// The first record names the columns; what stands below wrong names is not looked at. A blank cell is a field that is
/// left out.
fn csv_rows(text: &str) -> Result<Rows, ApiError> {
    let fault = |line: usize, message: String| FieldError {
        field: format!("line {line}"),
        message,
    };
    let records =
        csv::read(text).map_err(|error| ApiError::Invalid(vec![fault(error.line, error.problem.to_owned())]))?;
    let Some(((first, columns), records)) = records.split_first() else {
        let problem = format!("must name the columns: {}", WRITABLE.join(","));
        return Err(ApiError::Invalid(vec![fault(1, problem)]));
    };
    let columns: Vec<&str> = columns.iter().map(|column| column.trim()).collect();
    let mut faults: Vec<FieldError> = columns
        .iter()
        .filter(|column| !WRITABLE.contains(column))
        .map(|column| {
            fault(
                *first,
                format!("{}: {}", echo(column), unknown(column, &WRITABLE, "column")),
            )
        })
        .collect();
    if columns.iter().collect::<HashSet<_>>().len() < columns.len() {
        faults.push(fault(*first, "names a column twice".to_owned()));
    }
    if !faults.is_empty() {
        return Err(ApiError::Invalid(faults));
    }
    let mut rows = Vec::with_capacity(records.len());
    for (line, record) in records {
        if record.len() != columns.len() {
            let (has, named) = (record.len(), columns.len());
            faults.push(fault(*line, format!("has {has} fields; the first line names {named}")));
            continue;
        }
        let cells = columns.iter().zip(record).filter(|(_, cell)| !cell.trim().is_empty());
        let row: Map<String, Value> = cells
            .map(|(column, cell)| ((*column).to_owned(), cell_value(column, cell)))
            .collect();
        rows.push((format!("line {line}"), Value::Object(row)));
    }
    Ok((rows, faults))
}

/// Limits stand in their cell as JSON; what is not JSON stays text and is refused as such.
fn cell_value(column: &str, cell: &str) -> Value {
    let text = || Value::String(cell.to_owned());
    if column == "limits" {
        serde_json::from_str(cell).unwrap_or_else(|_| text())
    } else {
        text()
    }
}

/// Reads every row, whatever is wrong with another one.
async fn parse_rows(app: &App, rows: &[Row], mut faults: Vec<FieldError>) -> Result<Vec<AccountEdit>, ApiError> {
    if faults.is_empty() && rows.is_empty() || rows.len() > ACCOUNTS_LIMIT {
        let problem = format!("must hold 1 to {ACCOUNTS_LIMIT} accounts");
        return Err(ApiError::invalid("accounts", problem));
    }
    let known = Known::of_exports(app);
    let accounts = app.state.farm.accounts().await?;
    let accounts: HashSet<Username> = accounts.into_iter().map(|account| account.record.username).collect();
    let devices = app.state.farm.devices().await?;
    let serials: HashSet<Serial> = devices.into_iter().map(|device| device.serial).collect();
    let mut edits = Vec::with_capacity(rows.len());
    let mut seen: HashSet<Username> = HashSet::new();
    for (place, row) in rows {
        let Value::Object(object) = row else {
            faults.push(FieldError {
                field: place.clone(),
                message: format!("must be an object, not {}", kind_of(row)),
            });
            continue;
        };
        let plain = without_farm_states(object);
        let mut fields = Fields::new(&plain, format!("{place}."), &WRITABLE);
        let edit = read_edit(&mut fields, &known, &accounts);
        if edit.as_ref().is_some_and(|edit| !seen.insert(edit.username().clone())) {
            fields.fault("username", "stands here twice");
        }
        if let Some(serial) = edit.as_ref().and_then(AccountEdit::serial)
            && !serials.contains(serial)
        {
            fields.fault("serial", format!("device {serial} does not exist"));
        }
        faults.extend(fields.into_faults());
        edits.extend(edit);
    }
    if faults.is_empty() {
        Ok(edits)
    } else {
        Err(ApiError::Invalid(faults))
    }
}

/// An account that exists keeps what the row does not name; `None` when the row has no name.
fn read_edit(fields: &mut Fields<'_>, known: &Known, accounts: &HashSet<Username>) -> Option<AccountEdit> {
    let username = fields.value("username").and_then(Value::as_str);
    let existing = username
        .and_then(|username| Username::parse(username).ok())
        .filter(|username| accounts.contains(username));
    match existing {
        Some(username) => Some(AccountEdit::Patch(username, read_patch(fields, known))),
        None => read_new(fields, known).map(AccountEdit::New),
    }
}

/// An export also holds the states that only the farm sets. They are not set again: whoever needs attention here
/// may be well there.
fn without_farm_states(object: &Map<String, Value>) -> Map<String, Value> {
    let mut plain = object.clone();
    let status = object
        .get("status")
        .and_then(Value::as_str)
        .and_then(AccountStatus::from_word);
    if matches!(status, Some(AccountStatus::NeedsAttention | AccountStatus::Cooldown)) {
        plain.remove("status");
    }
    plain
}

async fn write(app: &App, edits: Vec<AccountEdit>) -> Answer {
    let (mut created, mut updated) = (Vec::new(), Vec::new());
    for edit in &edits {
        match edit {
            AccountEdit::New(new) => created.push(new.username.clone()),
            AccountEdit::Patch(username, _) => updated.push(username.clone()),
        }
    }
    app.state.farm.import_accounts(edits).await?;
    Ok(success(&json!({
        "created_count": created.len(),
        "updated_count": updated.len(),
        "created": created,
        "updated": updated,
    })))
}

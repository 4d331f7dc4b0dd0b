//! Accounts in and out in bulk, as CSV and as JSON. What was exported can be imported again.

use std::collections::{BTreeSet, HashSet};

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, http::header, web};
use farmhand_actors::{
    domain::{AccountPatch, AccountStatus, FieldError, Username},
    supervisor::{AccountSnapshot, NewAccount},
};
use serde_json::{Map, Value, json};

use super::{
    fields::{WRITABLE, read_new},
    limits_view,
};
use crate::http::{
    body::{OptionalJsonBody, check_type, read_body},
    csv,
    envelope::{Answer, ApiError, success},
    fields::{Fields, kind_of, unknown},
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

/// `POST /api/v1/account/import`: accounts that exist are changed, the others created. Nothing is done when
/// anything is wrong with the request.
pub async fn import(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Answer {
    let rows = read_rows(&request, payload).await?;
    let accounts = parse_rows(&rows, &app.settings.apps)?;
    let known = check_against_farm(&app, &accounts).await?;
    write(&app, accounts, &known).await
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

async fn read_rows(request: &HttpRequest, payload: web::Payload) -> Result<Vec<Row>, ApiError> {
    let wanted = "application/json or text/csv";
    check_type(request, &["application/json", "text/csv"], wanted)?;
    let mut payload = payload.into_inner();
    if request.content_type().eq_ignore_ascii_case("text/csv") {
        let bytes = read_body(request, payload).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| ApiError::invalid("body", "must be UTF-8"))?;
        return csv_rows(text);
    }
    let OptionalJsonBody(body) = OptionalJsonBody::from_request(request, &mut payload).await?;
    json_rows(body.unwrap_or(Value::Null))
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

/// The first record names the columns.
fn csv_rows(text: &str) -> Result<Vec<Row>, ApiError> {
    let fault = |line: usize, problem: String| ApiError::invalid(format!("line {line}"), problem);
    let records = csv::read(text).map_err(|error| fault(error.line, error.problem.to_owned()))?;
    let Some(((first, columns), records)) = records.split_first() else {
        return Err(fault(1, format!("must name the columns: {}", WRITABLE.join(","))));
    };
    let columns: Vec<&str> = columns.iter().map(|column| column.trim()).collect();
    if let Some(column) = columns.iter().find(|column| !WRITABLE.contains(column)) {
        return Err(fault(*first, unknown(column, &WRITABLE, "column")));
    }
    if columns.iter().collect::<HashSet<_>>().len() < columns.len() {
        return Err(fault(*first, "names a column twice".to_owned()));
    }
    let mut rows = Vec::with_capacity(records.len());
    for (line, record) in records {
        if record.len() != columns.len() {
            return Err(fault(
                *line,
                format!("has {} fields; the first line names {}", record.len(), columns.len()),
            ));
        }
        let cells = columns.iter().zip(record).filter(|(_, cell)| !cell.trim().is_empty());
        let row: Map<String, Value> = cells
            .map(|(column, cell)| ((*column).to_owned(), cell_value(column, cell)))
            .collect();
        rows.push((format!("line {line}"), Value::Object(row)));
    }
    Ok(rows)
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

/// An account to be imported, and the status that it shall have, if any.
struct Imported {
    place: String,
    account: NewAccount,
    status: Option<AccountStatus>,
}

fn parse_rows(rows: &[Row], apps: &[String]) -> Result<Vec<Imported>, ApiError> {
    if rows.is_empty() || rows.len() > ACCOUNTS_LIMIT {
        return Err(ApiError::invalid(
            "accounts",
            format!("must hold 1 to {ACCOUNTS_LIMIT} accounts"),
        ));
    }
    let mut faults = Vec::new();
    let mut accounts = Vec::with_capacity(rows.len());
    let mut seen: HashSet<Username> = HashSet::new();
    for (place, row) in rows {
        let Value::Object(object) = row else {
            faults.push(FieldError {
                field: place.clone(),
                message: format!("must be an object, not {}", kind_of(row)),
            });
            continue;
        };
        let (plain, status) = split_status(object);
        let mut fields = Fields::new(&plain, format!("{place}."), &WRITABLE);
        let account = read_new(&mut fields, apps);
        if account
            .as_ref()
            .is_some_and(|account| !seen.insert(account.username.clone()))
        {
            fields.fault("username", "stands here twice");
        }
        faults.extend(fields.into_faults());
        accounts.extend(account.map(|account| Imported {
            place: place.clone(),
            account,
            status,
        }));
    }
    if faults.is_empty() {
        Ok(accounts)
    } else {
        Err(ApiError::Invalid(faults))
    }
}

/// An export also holds the states that only the farm sets. They are not set again: whoever needs attention here
/// may be well there.
fn split_status(object: &Map<String, Value>) -> (Map<String, Value>, Option<AccountStatus>) {
    let mut plain = object.clone();
    let status = object
        .get("status")
        .and_then(Value::as_str)
        .and_then(AccountStatus::from_word);
    if matches!(status, Some(AccountStatus::NeedsAttention | AccountStatus::Cooldown)) {
        plain.remove("status");
        return (plain, None);
    }
    (plain, status)
}

/// The usernames that exist already; unknown devices are faults.
async fn check_against_farm(app: &App, accounts: &[Imported]) -> Result<BTreeSet<Username>, ApiError> {
    let devices = app.state.farm.devices().await?;
    let serials: HashSet<_> = devices.into_iter().map(|device| device.serial).collect();
    let faults: Vec<FieldError> = accounts
        .iter()
        .filter_map(|imported| {
            let serial = imported
                .account
                .serial
                .as_ref()
                .filter(|serial| !serials.contains(*serial))?;
            let field = format!("{}.serial", imported.place);
            Some(FieldError {
                field,
                message: format!("device {serial} does not exist"),
            })
        })
        .collect();
    if !faults.is_empty() {
        return Err(ApiError::Invalid(faults));
    }
    let known = app.state.farm.accounts().await?;
    Ok(known.into_iter().map(|account| account.record.username).collect())
}

async fn write(app: &App, accounts: Vec<Imported>, known: &BTreeSet<Username>) -> Answer {
    let (mut created, mut updated) = (Vec::new(), Vec::new());
    for Imported { account, status, .. } in accounts {
        let username = account.username.clone();
        if known.contains(&username) {
            let patch = AccountPatch {
                app: Some(account.app),
                package: Some(account.package),
                serial: Some(account.serial),
                status,
                cooldown_until: None,
                limits: Some(account.limits),
            };
            app.state.farm.patch_account(username.clone(), patch).await?;
            updated.push(username);
        } else {
            app.state.farm.create_account(account).await?;
            created.push(username);
        }
    }
    Ok(success(&json!({
        "created_count": created.len(),
        "updated_count": updated.len(),
        "created": created,
        "updated": updated,
    })))
}

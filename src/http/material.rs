//! `/api/v1/material`: the library that posts take their media from.

use actix_web::{HttpRequest, web};
use farmhand_actors::domain::{Material, MaterialId, Username};
use serde_json::{Value, json};

use super::{
    envelope::{Answer, ApiError, instant, success, success_list},
    fields::echo,
    ports::NewUpload,
    query::NoQuery,
    state::App,
    upload::{self, Form, Upload},
};

const TAGS_LIMIT: usize = 32;
const TAG_LIMIT: usize = 64;
const CAPTION_LIMIT: usize = 10_000;

/// `GET /api/v1/material`
pub async fn list(_: NoQuery, app: web::Data<App>) -> Answer {
    Ok(success_list(
        app.state.reads.list_materials().await?.iter().map(view).collect(),
    ))
}

/// `POST /api/v1/material`
pub async fn create(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Answer {
    let mut form = upload::read(&app, &request, payload, &["tags", "username", "caption", "sort_order"]).await?;
    let texts = read_texts(&mut form);
    let upload = form.finish()?;
    if let Some(username) = &texts.username {
        app.state.farm.account(username.clone()).await?;
    }
    // The file lives until it was added.
    let new = texts.of(&upload);
    Ok(success(&view(&app.state.library.add(new).await?)))
}

/// `DELETE /api/v1/material/{id}`
pub async fn delete(app: web::Data<App>, path: web::Path<String>) -> Answer {
    let missing = || ApiError::not_found(format!("material {} does not exist", echo(&path)));
    let id = path
        .parse()
        .ok()
        .filter(|id| *id > 0)
        .map(MaterialId)
        .ok_or_else(missing)?;
    if !app.state.library.delete(id).await? {
        return Err(missing());
    }
    Ok(success(&json!({ "deleted_count": 1, "deleted": [id] })))
}

/// What is said of a file.
struct Texts {
    tags: Vec<String>,
    username: Option<Username>,
    caption: Option<String>,
    sort_order: i32,
}

impl Texts {
    fn of(self, upload: &Upload) -> NewUpload {
        NewUpload {
            name: upload.name.clone(),
            path: upload.file.to_path_buf(),
            tags: self.tags,
            username: self.username,
            caption: self.caption,
            sort_order: self.sort_order.into(),
        }
    }
}

fn read_texts(form: &mut Form) -> Texts {
    let given = std::mem::take(&mut form.texts);
    let text = |name: &str| given.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let tags = parse_tags(text("tags").unwrap_or_default());
    if tags.len() > TAGS_LIMIT || tags.iter().any(|tag| tag.chars().count() > TAG_LIMIT) {
        form.fault(
            "tags",
            format!("at most {TAGS_LIMIT} tags of at most {TAG_LIMIT} characters, separated by commas"),
        );
    }
    let username = text("username")
        .map(Username::parse)
        .transpose()
        .unwrap_or_else(|error| {
            form.fault("username", error.problem);
            None
        });
    let caption = text("caption").map(str::to_owned);
    if caption
        .as_ref()
        .is_some_and(|caption| caption.chars().count() > CAPTION_LIMIT)
    {
        form.fault("caption", format!("is too long: at most {CAPTION_LIMIT} characters"));
    }
    let sort_order = text("sort_order").map_or(Ok(0), str::parse::<i32>).unwrap_or_else(|_| {
        form.fault("sort_order", "must be a whole number");
        0
    });
    Texts {
        tags,
        username,
        caption,
        sort_order,
    }
}

/// Separated by commas; blank and repeated ones do not count.
pub fn parse_tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

fn view(material: &Material) -> Value {
    let Material {
        id,
        name,
        file: _,
        kind,
        sha256,
        bytes,
        tags,
        username,
        caption,
        sort_order,
        used_by,
        created_at,
    } = material;
    json!({
        "id": id,
        "name": name,
        "kind": kind.as_str(),
        "sha256": sha256,
        "bytes": bytes,
        "tags": tags,
        "username": username,
        "caption": caption,
        "sort_order": sort_order,
        "used_by": used_by,
        "created_at": instant(*created_at),
    })
}

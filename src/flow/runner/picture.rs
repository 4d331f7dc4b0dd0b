//! Elements that are found by a picture: the screen is photographed and searched beside the tree.

use std::sync::Arc;

use farmhand_actors::domain::{Screenshot, UiNode, UiTree};
use serde_json::json;

use super::{
    Run,
    fault::Fault,
    query::known_to_match,
    screen::{Doubt, Found},
};
use crate::flow::{
    model::ImageSelector,
    select::{self, Query, tree::Screen},
    vision::{self, MARGIN, Place, VisionError},
};

impl Run {
    /// Looks once. Of alternatives, the screen is only photographed for those that need it.
    pub(super) async fn find_by_picture(
        &mut self,
        query: &Query,
        tree: &UiTree,
        doubt: Doubt,
    ) -> Result<Option<Found>, Fault> {
        let mut photograph = None;
        let only = [query];
        let several: Vec<&Query> = query.any_of.iter().collect();
        let alternatives = if several.is_empty() { &only[..] } else { &several };
        for alternative in alternatives {
            if let Some(found) = self.find_seen(alternative, tree, doubt, &mut photograph).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn find_seen(
        &mut self,
        query: &Query,
        tree: &UiTree,
        doubt: Doubt,
        photograph: &mut Option<Arc<Screenshot>>,
    ) -> Result<Option<Found>, Fault> {
        let mut tree = tree.clone();
        let own = tree.nodes.len();
        let mut pictures = Vec::new();
        for (image, several) in query.images() {
            let shown = match photograph {
                Some(shown) => shown.clone(),
                None => {
                    let shown = Arc::new(self.phone.call(self.phone.driver.screenshot()).await?);
                    photograph.insert(shown).clone()
                }
            };
            let places = self
                .places_of(&image, shown, several || doubt == Doubt::IsPresent)
                .await?;
            let first = tree.nodes.len();
            tree.nodes.extend(places.iter().map(|place| UiNode {
                bounds: Some(place.bounds),
                ..UiNode::default()
            }));
            pictures.push((image, (first..tree.nodes.len()).collect()));
        }
        let (width, height) = self.size().await?;
        let screen = Screen::new(&tree, width, height).with_pictures(own, pictures);
        let node = select::find(query, &screen).and_then(|at| screen.node(at));
        known_to_match(query)?;
        Ok(node.map(|node| Found {
            node: node.clone(),
            bounds: node.bounds.unwrap_or_default(),
            image: query.image.clone(),
        }))
    }

    /// The places that count: all that fit well enough, if several are welcome, else the one that stands out.
    async fn places_of(
        &mut self,
        image: &Arc<ImageSelector>,
        shown: Arc<Screenshot>,
        several: bool,
    ) -> Result<Vec<Place>, Fault> {
        let wanted = image.clone();
        let search = move || vision::places(&shown, &wanted.template, &wanted.search);
        // A search takes longer than the phones that share this thread should wait.
        let searched = async { Ok(tokio::task::spawn_blocking(search).await) };
        let searched = self.phone.call(searched).await?;
        let mut places = match searched {
            Ok(Ok(places)) => places,
            Ok(Err(error @ VisionError::LargerThanScreen { .. })) => {
                return Err(Fault::Invalid(format!("`{}`: {error}", image.file)));
            }
            // A picture of the screen that cannot be searched shows nothing.
            Ok(Err(error)) => {
                self.sight = Some(error.to_string());
                return Ok(Vec::new());
            }
            Err(error) => return Err(Fault::Invalid(error.to_string())),
        };
        self.tell_sight(image, &places);
        let unique = stands_out(&places);
        places.retain(|place| place.score >= image.search.threshold);
        if !several && !unique {
            places.clear();
        }
        Ok(places)
    }

    fn tell_sight(&mut self, image: &ImageSelector, places: &[Place]) {
        let threshold = image.search.threshold;
        let score = |place: &Place| (place.score * 1_000.0).round() / 1_000.0;
        let scores: Vec<f64> = places.iter().take(2).map(score).collect();
        self.note("image", json!({ "file": image.file, "scores": scores }));
        self.sight = Some(match scores.as_slice() {
            [best, second] if *best >= threshold => format!(
                "{} fits in more than one place ({best} and {second}): give `index` or `near`, or cut out more",
                image.file
            ),
            [best, ..] => format!("{} fits by {best} at best, wanted is {threshold}", image.file),
            [] => format!("nothing on the screen is like {}", image.file),
        });
    }
}

/// Whether the best place is so much better than the next one that it must be the one that is meant.
fn stands_out(places: &[Place]) -> bool {
    match places {
        [best, second, ..] => best.score - second.score >= MARGIN,
        _ => true,
    }
}

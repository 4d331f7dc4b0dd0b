//! `containsChild` and `containsDescendants`: elements by what is in them. What is looked for in all of them is looked for
//! once, so that a long screen costs no more than its length.

use std::collections::{HashMap, HashSet};

use super::{
    Query, bounds, candidates, find_all, holds_middle, order, picture_candidates, tree::Screen, twins::collapse_twins,
};

/// Keeps the elements that hold what the query says.
pub(super) fn retain_holders(query: &Query, screen: &Screen<'_>, found: &mut Vec<usize>) {
    if let Some(child) = &query.contains_child {
        let children = find_all(child, screen);
        let parents: HashSet<usize> = children.iter().filter_map(|at| screen.node(*at)?.parent).collect();
        found.retain(|at| parents.contains(at));
    }
    for wanted in &query.contains_descendants {
        if found.is_empty() {
            return;
        }
        let holders = holders(wanted, screen, found);
        found.retain(|at| holders.contains(at));
    }
}

/// Those of `asked` below which a whole selector finds something.
fn holders(wanted: &Query, screen: &Screen<'_>, asked: &[usize]) -> HashSet<usize> {
    if !wanted.any_of.is_empty() {
        let alternatives = wanted.any_of.iter();
        return alternatives
            .flat_map(|alternative| holders(alternative, screen, asked))
            .collect();
    }
    if let Some(image) = &wanted.image {
        let places = picture_candidates(wanted, image, screen);
        let holds = |at: &usize| {
            let area = bounds(screen, *at).unwrap_or_default();
            let mut inside = places.clone();
            inside.retain(|place| bounds(screen, *place).is_some_and(|here| holds_middle(area, here)));
            !order(wanted, screen, inside).is_empty()
        };
        return asked.iter().copied().filter(holds).collect();
    }
    let matching = candidates(wanted, screen);
    if wanted.index.is_some() {
        return holders_of_index(wanted, screen, asked, &matching);
    }
    let above = screen.above(matching.into_iter());
    let holds = |at: &usize| above.get(*at) == Some(&true);
    asked.iter().copied().filter(holds).collect()
}

/// The same where an index counts what is below each of them.
fn holders_of_index(wanted: &Query, screen: &Screen<'_>, asked: &[usize], matching: &[usize]) -> HashSet<usize> {
    let mut below: HashMap<usize, Vec<usize>> = asked.iter().map(|at| (*at, Vec::new())).collect();
    for at in matching {
        let mut next = screen.parent(*at);
        while let Some(up) = next {
            if let Some(list) = below.get_mut(&up) {
                list.push(*at);
            }
            next = screen.parent(up);
        }
    }
    below.retain(|_, list| {
        collapse_twins(screen, list);
        !order(wanted, screen, std::mem::take(list)).is_empty()
    });
    below.into_keys().collect()
}

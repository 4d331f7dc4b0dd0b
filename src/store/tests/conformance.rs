//! The store does what its ports say: the suite that the store in memory passes too.

use std::{cell::RefCell, sync::Arc};

use farmhand_actors::testing::conformance::{Subject, run_all};

#[tokio::test]
async fn it_does_what_the_ports_say() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let number = RefCell::new(0);
    let fresh = || async {
        let name = {
            let mut number = number.borrow_mut();
            *number += 1;
            format!("farmhand-{number}.db")
        };
        let store = super::open(&folder.path().join(name)).await;
        Subject {
            store: Arc::clone(&store) as _,
            journal: Arc::clone(&store) as _,
            events: Arc::new(move || {
                let store = Arc::clone(&store);
                Box::pin(async move {
                    let page = store.events_after(0, 1000).await.expect("reads");
                    page.events.into_iter().map(|event| event.event).collect()
                })
            }),
        }
    };

    run_all(fresh).await.expect("the store answers");
}

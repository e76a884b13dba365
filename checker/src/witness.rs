//! The proof of a pass, and a verifier that shares no code with the search.

use std::collections::{BTreeMap, BTreeSet};

use partita_history::{History, OpId, Value};
use serde::{Deserialize, Serialize};

use crate::model::{Model, Options};

/// An order of one key's operations that its model accepts and real time allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The key; none for operations without one.
    pub key: Option<Value>,
    /// The operations, in the order in which they took effect: all completed ones that say something about the
    /// object, and those of unknown outcome that must have happened.
    pub order: Vec<OpId>,
}

/// Why a witness proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// There is no witness, or more than one, for a key.
    #[error("{count} witnesses for {}, expected one", name(.key.as_ref()))]
    Keys {
        /// The key.
        key: Option<Value>,
        /// How many there are.
        count: usize,
    },
    /// An operation that is not of this key, or says nothing, or is there twice.
    #[error("operation {0} has no place in this order, or is in it twice")]
    Misplaced(OpId),
    /// A completed operation is not in the order.
    #[error("operation {0} completed, but is not in the order")]
    Missing(OpId),
    /// An operation comes after one that was invoked only after it had returned.
    #[error("operation {late} comes after operation {early}, which began only when it had ended")]
    RealTime {
        /// The operation that had ended.
        late: OpId,
        /// The operation that began afterwards.
        early: OpId,
    },
    /// The model does not accept an operation at its place.
    #[error("operation {0} is impossible at its place")]
    Impossible(OpId),
}

fn name(key: Option<&Value>) -> String {
    key.map_or("the operations without a key".to_owned(), |key| {
        format!("key {key}")
    })
}

/// Checks that `witnesses` prove `history` linearizable: one for each key, each complete, in real-time order,
/// and accepted by the model.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(
    history: &History,
    model: &Model,
    options: &Options,
    witnesses: &[Witness],
) -> Result<(), WitnessError> {
    let mut by_key: BTreeMap<Option<&Value>, Vec<&Witness>> = BTreeMap::new();
    for witness in witnesses {
        by_key.entry(witness.key.as_ref()).or_default().push(witness);
    }
    for (key, operations) in history.by_key() {
        match by_key.remove(&key).as_deref() {
            Some([witness]) => verify_key(history, model, options, &operations, &witness.order)?,
            other => {
                return Err(WitnessError::Keys {
                    key: key.cloned(),
                    count: other.map_or(0, <[_]>::len),
                });
            }
        }
    }
    match by_key
        .into_iter()
        .find_map(|(_, extra)| extra[0].order.first().copied())
    {
        Some(stray) => Err(WitnessError::Misplaced(stray)),
        None => Ok(()),
    }
}

fn verify_key(
    history: &History,
    model: &Model,
    options: &Options,
    operations: &[OpId],
    order: &[OpId],
) -> Result<(), WitnessError> {
    let specification = (model.specification)(options);
    let mut remaining: BTreeSet<OpId> = operations.iter().copied().collect();
    let mut state = specification.initial();
    // The latest invocation so far, and whose it is.
    let mut latest: Option<(u32, OpId)> = None;
    for &id in order {
        if !remaining.remove(&id) {
            return Err(WitnessError::Misplaced(id));
        }
        let operation = history.operation(id);
        let Ok(Some(class)) = specification.classify(&operation) else {
            return Err(WitnessError::Misplaced(id));
        };
        if let (Some(deadline), Some((invoked, early))) = (operation.deadline(), latest)
            && deadline < invoked
        {
            return Err(WitnessError::RealTime { late: id, early });
        }
        latest = latest.max(Some((operation.invoked.position, id)));
        state = specification
            .step(&state, &class)
            .ok_or(WitnessError::Impossible(id))?;
    }
    let missing = remaining.into_iter().find(|&id| {
        let operation = history.operation(id);
        operation.deadline().is_some() && !matches!(specification.classify(&operation), Ok(None))
    });
    missing.map_or(Ok(()), |id| Err(WitnessError::Missing(id)))
}

#[cfg(test)]
mod tests {
    use partita_history::jsonl;

    use super::*;
    use crate::check_with_witness;

    const HISTORY: &str = concat!(
        r#"{"process":1,"type":"invoke","f":"write","key":"x","value":1}"#,
        "\n",
        r#"{"process":2,"type":"invoke","f":"write","key":"x","value":2}"#,
        "\n",
        r#"{"process":1,"type":"ok","f":"write","key":"x","value":1}"#,
        "\n",
        r#"{"process":2,"type":"info","f":"write","key":"x","value":2}"#,
        "\n",
        r#"{"process":3,"type":"invoke","f":"read","key":"x","value":null}"#,
        "\n",
        r#"{"process":3,"type":"ok","f":"read","key":"x","value":1}"#,
        "\n",
        r#"{"process":3,"type":"invoke","f":"read","key":"x","value":null}"#,
        "\n",
        r#"{"process":3,"type":"ok","f":"read","key":"x","value":2}"#,
        "\n",
    );

    #[test]
    fn broken_witnesses_are_refused() {
        let history = jsonl::read(HISTORY.as_bytes(), false).unwrap();
        let model = Model::by_name("register").unwrap();
        let options = Options::default();
        let (_, witnesses) = check_with_witness(&history, model, &options, &|| false).unwrap();
        let judge = |witnesses: &[Witness]| verify(&history, model, &options, witnesses);
        let with = |order: &[OpId]| {
            judge(&[Witness {
                key: Some("x".into()),
                order: order.to_vec(),
            }])
        };
        assert_eq!(judge(&witnesses), Ok(()));
        assert_eq!(witnesses[0].order, [0, 2, 1, 3]);
        assert_eq!(with(&[0, 2, 1]), Err(WitnessError::Missing(3)));
        assert_eq!(with(&[0, 2, 1, 3, 1]), Err(WitnessError::Misplaced(1)));
        assert_eq!(with(&[0, 2, 1, 3, 9]), Err(WitnessError::Misplaced(9)));
        assert_eq!(with(&[0, 2, 3, 1]), Err(WitnessError::Impossible(3)));
        assert_eq!(with(&[2, 0, 1, 3]), Err(WitnessError::Impossible(2)));
        assert_eq!(
            with(&[1, 3, 0, 2]),
            Err(WitnessError::RealTime { late: 0, early: 3 })
        );
        let keys = |count| WitnessError::Keys {
            key: Some("x".into()),
            count,
        };
        assert_eq!(judge(&[]), Err(keys(0)));
        assert_eq!(judge(&[witnesses[0].clone(), witnesses[0].clone()]), Err(keys(2)));
        assert_eq!(keys(0).to_string(), "0 witnesses for key x, expected one");
    }
}

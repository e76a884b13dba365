//! Nodes and defects in files: by their names.

use partita_protocols::{Defect, NodeId};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

fn parse<E: Error>(name: &str) -> Result<NodeId, E> {
    NodeId::new(name).map_err(E::custom)
}

/// One node.
pub(crate) mod node {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(node: &NodeId, to: S) -> Result<S::Ok, S::Error> {
        node.as_str().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NodeId, D::Error> {
        parse(&String::deserialize(from)?)
    }
}

/// Some nodes.
pub(crate) mod nodes {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(nodes: &[NodeId], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(nodes.iter().map(NodeId::as_str))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<NodeId>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        names.iter().map(|name| parse(name)).collect()
    }
}

/// A node, or none.
pub(crate) mod maybe_node {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(node: &Option<NodeId>, to: S) -> Result<S::Ok, S::Error> {
        node.as_ref().map(NodeId::as_str).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NodeId>, D::Error> {
        let name = Option::<String>::deserialize(from)?;
        name.map(|name| parse(&name)).transpose()
    }
}

/// A defect, or none.
pub(crate) mod defect {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        defect: &Option<&'static Defect>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        defect.map(|defect| defect.name).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<&'static Defect>, D::Error> {
        let name = Option::<String>::deserialize(from)?;
        name.map(|name| Defect::by_name(&name).map_err(D::Error::custom))
            .transpose()
    }
}

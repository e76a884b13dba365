//! Shortest cycles in graphs of constraints.

use std::collections::VecDeque;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

/// How many vertices are visited in search of a shorter cycle, once there is one.
const VISITED_MAX: usize = 2_000_000;

/// A short cycle, as edges that follow each other; none if there is no cycle. It is the shortest of all unless
/// there are very many vertices on cycles.
///
/// Takes no more stack for a long cycle than for a short one: Kosaraju's algorithm as petgraph has it is
/// iterative (its Tarjan's is not).
pub(crate) fn shortest_cycle<N, E>(graph: &DiGraph<N, E>) -> Option<Vec<EdgeIndex>> {
    let mut components: Vec<Vec<NodeIndex>> = kosaraju_scc(graph)
        .into_iter()
        .filter(|component| component.len() > 1)
        .collect();
    // Short cycles mostly are in small components.
    components.sort_by_key(Vec::len);
    let mut component_of = vec![usize::MAX; graph.node_count()];
    for (number, component) in components.iter_mut().enumerate() {
        component.sort_unstable();
        for &vertex in component.iter() {
            component_of[vertex.index()] = number;
        }
    }
    let mut search = Search {
        graph,
        component_of: &component_of,
        by: vec![None; graph.node_count()],
        visited: 0,
    };
    let mut best: Option<Vec<EdgeIndex>> = None;
    for &start in components.iter().flatten() {
        let at_most = best.as_ref().map_or(usize::MAX, |cycle| cycle.len() - 1);
        if let Some(cycle) = search.through(start, at_most) {
            best = Some(cycle);
        }
        let is_short = best.as_ref().is_some_and(|cycle| cycle.len() <= 2);
        if is_short || best.is_some() && search.visited > VISITED_MAX {
            break;
        }
    }
    best
}

/// The shortest cycle through a vertex, as edges that follow each other, the last of them out of that vertex.
pub(crate) fn shortest_cycle_through<N, E>(
    graph: &DiGraph<N, E>,
    vertex: NodeIndex,
) -> Option<Vec<EdgeIndex>> {
    let mut search = Search {
        graph,
        component_of: &vec![0; graph.node_count()],
        by: vec![None; graph.node_count()],
        visited: 0,
    };
    let mut cycle = search.through(vertex, usize::MAX)?;
    cycle.rotate_left(1);
    Some(cycle)
}

struct Search<'a, N, E> {
    graph: &'a DiGraph<N, E>,
    component_of: &'a [usize],
    /// By which edge each vertex was reached.
    by: Vec<Option<EdgeIndex>>,
    visited: usize,
}

impl<N, E> Search<'_, N, E> {
    /// The shortest cycle through a vertex, if it has no more than so many edges.
    fn through(&mut self, start: NodeIndex, at_most: usize) -> Option<Vec<EdgeIndex>> {
        let mut reached = Vec::new();
        let mut queue = VecDeque::from([(start, 0)]);
        let mut last = None;
        'search: while let Some((vertex, length)) = queue.pop_front() {
            if length >= at_most {
                break;
            }
            for edge in self.graph.edges(vertex) {
                let next = edge.target();
                if next == start {
                    last = Some(edge.id());
                    break 'search;
                }
                let is_inside = self.component_of[next.index()] == self.component_of[start.index()];
                if is_inside && self.by[next.index()].is_none() {
                    self.by[next.index()] = Some(edge.id());
                    reached.push(next);
                    queue.push_back((next, length + 1));
                }
            }
        }
        let mut cycle = Vec::new();
        let mut edge = last;
        while let Some(id) = edge {
            cycle.push(id);
            let source = self.graph.edge_endpoints(id).map(|(source, _)| source);
            edge = source.and_then(|source| self.by[source.index()]);
        }
        self.visited += reached.len();
        for vertex in reached {
            self.by[vertex.index()] = None;
        }
        cycle.reverse();
        (!cycle.is_empty()).then_some(cycle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycle(edges: &[(u32, u32)]) -> Option<Vec<(usize, usize)>> {
        let graph = DiGraph::<(), ()>::from_edges(edges);
        let ends = |id| {
            graph
                .edge_endpoints(id)
                .map(|(a, b)| (a.index(), b.index()))
                .unwrap()
        };
        shortest_cycle(&graph).map(|cycle| cycle.into_iter().map(ends).collect())
    }

    #[test]
    fn the_shortest_is_found() {
        assert_eq!(cycle(&[(0, 1), (1, 2), (0, 2)]), None);
        let found = cycle(&[(0, 1), (1, 2), (2, 3), (3, 0), (2, 0), (4, 0)]).unwrap();
        assert_eq!(found, [(0, 1), (1, 2), (2, 0)]);
        let found = cycle(&[(0, 1), (1, 2), (2, 0), (5, 6), (6, 5)]).unwrap();
        assert_eq!(found, [(5, 6), (6, 5)]);
    }

    #[test]
    fn through_a_vertex_it_ends_there() {
        let graph = DiGraph::<(), ()>::from_edges([(0, 1), (1, 0), (1, 2), (2, 3), (3, 1), (3, 4)]);
        let through = |vertex| {
            let cycle = shortest_cycle_through(&graph, NodeIndex::new(vertex))?;
            let ends = |id| graph.edge_endpoints(id).map(|(a, b)| (a.index(), b.index()));
            Some(cycle.into_iter().filter_map(ends).collect::<Vec<_>>())
        };
        assert_eq!(through(2).unwrap(), [(3, 1), (1, 2), (2, 3)]);
        assert_eq!(through(4), None);
    }

    #[test]
    fn a_million_vertices_do_not_overflow_the_stack() {
        let edges: Vec<(u32, u32)> = (0..1_000_000).map(|i| (i, (i + 1) % 1_000_000)).collect();
        let graph = DiGraph::<(), ()>::from_edges(&edges);
        assert_eq!(shortest_cycle(&graph).unwrap().len(), 1_000_000);
    }
}

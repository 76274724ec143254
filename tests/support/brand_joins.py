"""Checks of SQL: whether a statement can run where the tables are distributed by brand.

It reads the text that the database gets by PostgreSQL's own grammar, so it covers Core, ORM and raw
SQL alike.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import postgast
from google.protobuf.json_format import MessageToDict

from app.models import DISTRIBUTED, LOCAL, REFERENCE

GIVEN = -1
"""The node of everything that equals a bound value or a constant."""
NOT_OURS = ("pgqueuer", "pg_", "information_schema", "alembic_version")
READ_APART = ("relation", "with_clause", "where_clause", "from_clause", "using_clause")
QUERIES = ("select_stmt", "update_stmt", "delete_stmt", "insert_stmt")

Tree = Any
"""A parsed statement: mappings, lists and constants, with PostgreSQL's names of nodes."""
Scope = dict[str, int]
"""Of one query: the node of each alias."""


def problems(sql: str) -> list[str]:
    """What of a statement would fail on Citus, or would ask every machine, as sentences."""
    found: list[str] = []
    for each in MessageToDict(postgast.parse(sql), preserving_proto_field_name=True)["stmts"]:
        for arm in _arms(each["stmt"]):
            found += Statement(arm).problems()
    return found


class Statement:
    """What one statement reads, and what ties its tables together.

    Each place of a table is a node. Two nodes are tied where their brand's number is equal by a
    condition that always holds. A statement of one brand must say so at every table, since Citus
    does not follow a constant through a subquery; one over several brands may pass the number on.
    """

    def __init__(self, tree: Tree) -> None:
        self.tables: dict[int, str] = {}
        """The table of each node; empty for a subquery, a function and a common table."""
        self.targets: set[str] = set()
        self.locks = False
        self.bound_in_conflict = False
        self._numbers = count()
        self._direct, self._passed_on = _Ties(), _Ties()
        self._handed_out: dict[str, set[int]] = {}
        """Of common tables: the nodes whose number is their column `brand_id`."""
        self._subqueries: set[int] = set()
        self._walk(tree, [])

    def problems(self) -> list[str]:
        """What would fail, or what would ask every machine, as sentences."""
        names = {name for name in self.tables.values() if name} | self.targets
        found = [f"{name} is in no list of app/models.py" for name in sorted(names) if not is_listed(name)]
        brands = {node: name for node, name in self.tables.items() if name in DISTRIBUTED}
        local = {name for name in self.tables.values() if name in LOCAL or name.startswith("pgqueuer")}
        if local and brands:
            found.append(f"{sorted(local)} cannot be read with {sorted(brands.values())}")
        found += self._untied(brands)
        if self.locks and any(not self._direct.tied(node, GIVEN) for node in brands):
            found.append("rows of several brands are locked by one statement")
        if self.bound_in_conflict:
            found.append("a value is bound in the ON CONFLICT of an INSERT ... SELECT")
        return found

    def _untied(self, brands: dict[int, str]) -> list[str]:
        given = [node for node in brands if self._direct.tied(node, GIVEN)]
        if given and len(given) < len(brands):
            rest = sorted({name for node, name in brands.items() if node not in given})
            return [f"one brand is given, but not for {', '.join(rest)}"]
        first = next(iter(brands), GIVEN)
        apart = sorted({name for node, name in brands.items() if not self._passed_on.tied(node, first)})
        return [f"no brand_id between {brands[first]} and {', '.join(apart)}"] if apart else []

    def _walk(self, tree: Tree, scopes: Sequence[Scope]) -> None:
        """Find the queries below `tree`; `scopes` are of the queries around it, innermost last."""
        for key, value in _items(tree):
            if key in QUERIES:
                self._query(value, scopes)
            else:
                self._walk(value, scopes)

    def _query(self, query: Tree, around: Sequence[Scope]) -> set[int]:
        """Add a query; returns the nodes whose number it hands out as `brand_id`."""
        if query.get("op", "SETOP_NONE") != "SETOP_NONE":
            self._common_tables(query, around)
            return self._query(query["larg"], around) | self._query(query["rarg"], around)
        self._common_tables(query, around)
        scope: Scope = {}
        scopes = [*around, scope]
        conditions = [query["where_clause"]] if "where_clause" in query else []
        if "relation" in query:
            self._target(query, scope)
        for each in [*query.get("from_clause", []), *query.get("using_clause", [])]:
            self._source(each, scopes, conditions)
        for each in [one for condition in conditions for one in conjuncts(condition)]:
            self._read_condition(each, scopes)
        self.locks |= bool(query.get("locking_clause"))
        parts = {key: value for key, value in query.items() if key not in READ_APART}
        self._walk([parts, conditions], scopes)
        return {node for each in query.get("target_list", []) for node in self._hands_out(each, scopes)}

    def _common_tables(self, query: Tree, around: Sequence[Scope]) -> None:
        clause = query.get("with_clause", {})
        for each in clause.get("ctes", []):
            table = each["common_table_expr"]
            ((_, inner),) = table["ctequery"].items()
            if clause.get("recursive"):
                # It reads itself, as a table that hands out no number.
                self._handed_out[table["ctename"]] = set()
            self._handed_out[table["ctename"]] = self._query(inner, around)

    def _target(self, query: Tree, scope: Scope) -> None:
        """The table that is written: of an INSERT it is not joined with what is read."""
        if "cols" not in query and "on_conflict_clause" not in query and "select_stmt" not in query:
            self._place(query["relation"], scope)
            return
        self.targets.add(query["relation"]["relname"])
        selected = query.get("select_stmt", {}).get("select_stmt", {})
        if "from_clause" in selected and contains(query.get("on_conflict_clause", {}), "param_ref"):
            self.bound_in_conflict = True

    def _source(self, tree: Tree, scopes: Sequence[Scope], conditions: list[Tree]) -> int:
        """Give each table and alias of one item in FROM a node; returns the last one."""
        ((kind, value),) = tree.items()
        if kind == "range_var":
            return self._place(value, scopes[-1])
        if kind == "join_expr":
            left = self._source(value["larg"], scopes, conditions)
            right = self._source(value["rarg"], scopes, conditions)
            conditions += [value["quals"]] if "quals" in value else []
            if {"string": {"sval": "brand_id"}} in value.get("using_clause", []):
                self._tie(left, right)
            return right
        node = self._new("", scopes[-1], value.get("alias", {}).get("aliasname", ""))
        if kind == "range_subselect":
            self._pass_on(node, self._query(value["subquery"]["select_stmt"], scopes))
        else:
            self._walk(value, scopes)
        return node

    def _place(self, table: Tree, scope: Scope) -> int:
        name, alias = table["relname"], table.get("alias", {}).get("aliasname", table["relname"])
        if name in self._handed_out:
            node = self._new("", scope, alias)
            self._pass_on(node, self._handed_out[name])
            return node
        return self._new(table.get("schemaname", name) if is_catalog(table) else name, scope, alias)

    def _new(self, name: str, scope: Scope, alias: str) -> int:
        node = scope[alias] = next(self._numbers)
        self.tables[node] = name
        return node

    def _read_condition(self, condition: Tree, scopes: Sequence[Scope]) -> None:
        """Tie what one condition that always holds makes equal: `=`, or `IN` a subquery."""
        equal, within = condition.get("a_expr", {}), condition.get("sub_link", {})
        if equal.get("kind") == "AEXPR_OP" and equal["name"] == [{"string": {"sval": "="}}]:
            self._tie(self._node(equal["lexpr"], scopes), self._node(equal["rexpr"], scopes))
        if within.get("sub_link_type") == "ANY_SUBLINK" and "oper_name" not in within:
            one = self._node(within["testexpr"], scopes)
            for other in self._query(within["subselect"]["select_stmt"], scopes):
                self._tie(one, other)
            within.clear()

    def _node(self, side: Tree, scopes: Sequence[Scope]) -> int | None:
        """The node whose brand's number an expression is, if it is one."""
        while "type_cast" in side:
            side = side["type_cast"]["arg"]
        if "param_ref" in side or "a_const" in side:
            return GIVEN
        names = [each.get("string", {}).get("sval") for each in side.get("column_ref", {}).get("fields", [])]
        if len(names) == 1 and len(scopes[-1]) == 1:
            names = [*scopes[-1], *names]
        node = next((each[names[0]] for each in reversed(scopes) if names and names[0] in each), None)
        if node is None or len(names) != 2:
            return None
        return node if names[1] == ("id" if self.tables[node] == "brands" else "brand_id") else None

    def _hands_out(self, target: Tree, scopes: Sequence[Scope]) -> Iterator[int]:
        value = target["res_target"].get("val", {})
        node = self._node(value, scopes) if "column_ref" in value else None
        if node is not None:
            yield node

    def _tie(self, one: int | None, other: int | None) -> None:
        if one is None or other is None:
            return
        self._passed_on.tie(one, other)
        if not self._subqueries & {one, other}:
            self._direct.tie(one, other)

    def _pass_on(self, node: int, handed_out: set[int]) -> None:
        self._subqueries.add(node)
        for each in handed_out:
            self._passed_on.tie(node, each)


class _Ties:
    """Nodes in groups."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def _root(self, node: int) -> int:
        while node in self._parents:
            node = self._parents[node]
        return node

    def tied(self, one: int, other: int) -> bool:
        return self._root(one) == self._root(other)

    def tie(self, one: int, other: int) -> None:
        if not self.tied(one, other):
            self._parents[self._root(one)] = self._root(other)


def conjuncts(condition: Tree) -> Iterator[Tree]:
    """The conditions that hold whenever the whole one holds: none below OR or NOT."""
    if condition.get("bool_expr", {}).get("boolop") == "AND_EXPR":
        for each in condition["bool_expr"]["args"]:
            yield from conjuncts(each)
    else:
        yield condition


def contains(tree: Tree, key: str) -> bool:
    """Whether a node of this kind is anywhere in the tree."""
    return any(name == key or contains(value, key) for name, value in _items(tree))


def is_listed(name: str) -> bool:
    """Whether the table is one of ours, or of the queue engine, PostgreSQL or Alembic."""
    return name in DISTRIBUTED | REFERENCE | LOCAL or name.startswith(NOT_OURS)


def is_catalog(table: Tree) -> bool:
    """Whether it is one of PostgreSQL's own tables."""
    return str(table.get("schemaname", "")).startswith(NOT_OURS)


def _arms(tree: Tree) -> Iterator[Tree]:
    """The arms of a UNION, each a statement: nothing joins them; else the statement itself."""
    query = tree.get("select_stmt", {})
    if query.get("op", "SETOP_NONE") == "SETOP_NONE" or "with_clause" in query:
        yield tree
        return
    for side in ("larg", "rarg"):
        yield from _arms({"select_stmt": query[side]})


def _items(tree: Tree) -> Iterator[tuple[str, Tree]]:
    if isinstance(tree, dict):
        yield from tree.items()
    elif isinstance(tree, list):
        yield from (("", each) for each in tree)

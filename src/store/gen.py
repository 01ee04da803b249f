#!/usr/bin/env python3
"""gen.py -- makes the store's C tables: of sql/queries.sql the queries, of sql/NNNN_*.sql the migrations.

usage: gen.py queries.sql NNNN_name.sql... OUT.c OUT.h
The language of queries.sql is described on top of it. A parameter is numbered by its first appearance: SQLite numbers
$1, $2, ... (which it takes for names) in just that way, so one text serves both engines.
"""
import os
import re
import sys

KINDS = ("int", "enum", "bool", "bytes", "text", "fixed")


def die(where, why):
    sys.exit("gen.py: %s: %s" % (where, why))


class Column:
    def __init__(self, text):
        words = text.split()
        self.name, self.kind, self.once, self.member = words[0], words[1], False, words[0]
        if self.kind not in KINDS:
            die(text, "unknown kind")
        for w in words[2:]:
            if w == "once":
                self.once = True
            elif w.startswith("="):
                self.member = w[1:]
            else:
                die(text, "unknown word " + w)


class Row:
    def __init__(self, name, struct, columns):
        self.name, self.struct, self.columns = name, struct, columns


class Query:
    def __init__(self, head):
        m = re.fullmatch(r"(\w+)\((.*?)\)(?:\s*->\s*(\w+))?", head)
        if not m:
            die(head, "not NAME(ARGS) -> RESULT")
        self.name, self.args, self.result, self.lines = m[1], [], m[3], []
        for arg in filter(None, (a.strip() for a in m[2].split(","))):
            self.args.append(arg.split(":") if ":" in arg else [arg, None])

    def compile(self, rows):
        self.row = rows[self.args[0][0]] if self.args and self.args[0][1] is None and self.args[0][0] in rows else None
        extra = [(n, k or "int") for n, k in (self.args[1:] if self.row else self.args)]
        members = {c.name: c for c in self.row.columns} if self.row else {}
        numbers, self.params = {}, []

        def columns(m):
            if m[1] not in rows:
                die(self.name, "no row " + m[1])
            cs = rows[m[1]].columns
            if m[2] == "(values)":
                return ", ".join("$" + c.name for c in cs)
            if m[2] == "(set)":
                return ", ".join("%s = $%s" % (c.name, c.name) for c in cs if not c.once)
            return ", ".join(c.name for c in cs)

        def number(m):
            name = m[1]
            if name not in numbers:
                numbers[name] = len(numbers) + 1
                index = next((i for i, a in enumerate(extra) if a[0] == name), None)
                if index is not None:
                    self.params.append("{ .kind = KIND_%s, .arg = %d }" % (extra[index][1].upper(), index + 1))
                elif name in members:
                    self.params.append("COLUMN_%s(%s, %s, %s)" % (members[name].kind.upper(), self.row.struct, name, members[name].member))
                else:
                    die(self.name, "unknown parameter $" + name)
            return "$%d" % numbers[name]

        text = " ".join(self.lines).strip().rstrip(";")
        self.sql = re.sub(r"\$([a-z_]+)", number, re.sub(r"@(\w+)(\(values\)|\(set\))?", columns, text))
        for name, _ in extra:
            if name not in numbers:
                die(self.name, "parameter %s is not used" % name)
        self.extra = len(extra)


def read_queries(path):
    rows, queries, row, query = {}, [], None, None
    for line in open(path, encoding="utf-8").read().splitlines():
        if m := re.match(r"-- row (\w+): (struct \w+)", line):
            row, query = Row(m[1], m[2], []), None
            rows[m[1]] = row
        elif m := re.match(r"-- row (\w+) = (\w+) - (.*)", line):
            base, gone = rows[m[2]], m[3].split()
            rows[m[1]], row = Row(m[1], base.struct, [c for c in base.columns if c.name not in gone]), None
        elif m := re.match(r"-- name: (.*)", line):
            row, query = None, Query(m[1])
            queries.append(query)
        elif row and line.startswith("--   "):
            row.columns.append(Column(line[5:]))
        elif query and line.strip() and not line.startswith("--"):
            query.lines.append(line.strip())
    for q in queries:
        q.compile(rows)
    return rows, queries


def c_string(text):
    return "\n".join('    "%s"' % (l.replace("\\", "\\\\").replace('"', '\\"') + "\\n") for l in text.splitlines())


def write_c(path, rows, queries, migrations):
    with open(path, "w", encoding="utf-8") as o:
        o.write("/* Made by gen.py: do not edit. */\n#include \"store/query.h\"\n#include \"store/store.h\"\n\n")
        for r in rows.values():
            o.write("static const struct column columns_%s[] = {\n" % r.name)
            for c in r.columns:
                o.write("    COLUMN_%s(%s, %s, %s),\n" % (c.kind.upper(), r.struct, c.name, c.member))
            o.write("};\nconst struct row_type row_%s = { columns_%s, %d, sizeof(%s) };\n\n" % (r.name, r.name, len(r.columns), r.struct))
        for q in queries:
            if q.params:
                o.write("static const struct column params_%s[] = {\n    %s,\n};\n" % (q.name, ",\n    ".join(q.params)))
        o.write("\nconst struct query queries[Q_END] = {\n")
        for q in queries:
            result = "&row_" + q.result if q.result in rows else "NULL"
            count = len(rows[q.result].columns) if q.result in rows else int(q.result or 0)
            o.write("    [Q_%s] = { \"%s\",\n        \"%s\",\n        %s, %d, %d, %s, %d },\n" % (
                q.name.upper(), q.name, q.sql.replace('"', '\\"'), "params_" + q.name if q.params else "NULL",
                len(q.params), q.extra, result, count))
        o.write("};\n\nconst struct migration migrations[] = {\n")
        for number, name, text in migrations:
            o.write("    { %d, \"%s\",\n%s },\n" % (number, name, c_string(text)))
        o.write("};\nconst int migrations_n = %d;\n" % len(migrations))


def write_h(path, rows, queries):
    with open(path, "w", encoding="utf-8") as o:
        o.write("/* Made by gen.py: do not edit. Included by store/query.h only. */\n")
        o.write("enum query_id {\n%s    Q_END\n};\n" % "".join("    Q_%s,\n" % q.name.upper() for q in queries))
        o.write("".join("extern const struct row_type row_%s;\n" % r for r in rows))
        o.write("enum { PARAMS_MAX = %d };\n" % max(len(q.params) for q in queries))


def main():
    sql, *files, out_c, out_h = sys.argv[1:]
    rows, queries = read_queries(sql)
    migrations = []
    for f in files:
        m = re.fullmatch(r"(\d{4})_(\w+)\.sql", os.path.basename(f))
        if not m or (migrations and int(m[1]) <= migrations[-1][0]):
            die(f, "migrations must be called 0001_NAME.sql, 0002_... and stand in this order")
        migrations.append((int(m[1]), m[2], open(f, encoding="utf-8").read()))
    write_c(out_c, rows, queries, migrations)
    write_h(out_h, rows, queries)


main()

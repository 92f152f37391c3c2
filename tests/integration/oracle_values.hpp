#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace test {

using Texts = std::vector<std::string>;

/// For every built-in type that can be written down: texts that its input function accepts, chosen
/// for their output. The oracle test fails for a type of pg_type that is not in here.
inline auto values_by_type() -> const std::map<std::string, Texts>& {
  static const std::map<std::string, Texts> kValues{
      {"bool", {"t", "f"}},
      {"bytea", {"", "\\x", "\\x00", "\\xdeadbeef", "\\x0a0d22275c", "\\000\\001abc"}},
      {"char", {"", "a", "\"", "\\", "\t", "\x01", "~"}},
      {"name", {"", "plain", "With \"quotes\"", "back\\slash", "\xc3\xa4\xc3\xb6", "{brace}", "NULL"}},
      {"int8", {"0", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993"}},
      {"int2", {"0", "-32768", "32767"}},
      {"int2vector", {"", "1", "1 2 3", "-1 0 32767"}},
      {"int4", {"0", "-2147483648", "2147483647"}},
      {"regproc", {"now", "pg_catalog.int4in", "-"}},
      {"text",
       {"", " ", "plain", "NULL", "null", "\"", "\\", "a\"b\\c", "{", "}", "{a,b}", ",", ";", "'",
        "tab\there", "line\nfeed", "\r\n", "\b\f\v\x01\x1f\x7f", "/", "\xe2\x80\xa8\xe2\x80\xa9",
        "\xf0\x9f\x90\x98", "\xef\xbb\xbf" "bom", "\xed\x9f\xbf", "\xef\xbf\xbf", " lead", "trail ",
        "[0:1]={1,2}"}},
      {"oid", {"0", "4294967295", "16"}},
      {"tid", {"(0,1)", "(4294967295,65535)"}},
      {"xid", {"0", "3", "4294967295"}},
      {"cid", {"0", "4294967295"}},
      {"oidvector", {"", "23", "23 25 4294967295"}},
      {"json",
       {"null", "true", "1", "1.50", "-0", "1e400", "\"x\"", "[]", "{}", " [1, 2] ", "{\"a\" : 1}",
        "{\"a\":1,\"a\":2}", "{\n  \"a\": [\n1,\r\n2],\n\t\"b\": \"\\n\"\n}", "\"\\u0041\\ud83d\\udc18\"",
        "\"\\u0000\"", "[\"\xc3\xa4\", \"\\\\\", \"\\\"\"]", "12345678901234567890.123456789"}},
      {"xml", {"", "<a/>", "<a b=\"c\">d &amp; e</a>", "text only", "<a>\n</a>"}},
      {"point", {"(0,0)", "(1.5,-2.5)", "(1e300,-1e-300)", "(NaN,Infinity)"}},
      {"lseg", {"[(0,0),(1,1)]", "[(-1.5,2),(3,4e10)]"}},
      {"path", {"((0,0),(1,1))", "[(0,0),(1,1),(2,0)]"}},
      {"box", {"(1,1),(0,0)", "(2.5,3),(-1,-1e5)"}},
      {"polygon", {"((0,0),(1,1),(2,0))", "((0,0))"}},
      {"line", {"{1,-1,0}", "{0,-1,2.5}"}},
      {"circle", {"<(0,0),1>", "<(1.5,2),0.25>"}},
      {"cidr", {"10.0.0.0/8", "192.168.1.1/32", "::/0", "2001:db8::/32"}},
      {"inet", {"127.0.0.1", "10.1.2.3/8", "::1", "fe80::1/64", "::ffff:1.2.3.4"}},
      {"float4",
       {"0", "-0", "1", "1.5", "1e10", "1e20", "1e-7", "3.4028235e38", "1.4e-45", "NaN", "Infinity",
        "-Infinity", "0.1", "16777217"}},
      {"float8",
       {"0", "-0", "1", "0.1", "1e15", "1e16", "1e20", "123456789012345680", "1e-4", "1e-5", "1e-7",
        "1.7976931348623157e308", "5e-324", "NaN", "Infinity", "-Infinity", "-1.5"}},
      {"macaddr8", {"08:00:2b:01:02:03:04:05"}},
      {"macaddr", {"08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"}},
      {"money", {"0", "1234567.89", "-0.01", "92233720368547758.07"}},
      {"aclitem", {"postgres=r/postgres", "=r*w*/postgres"}},
      {"bpchar", {"", "x", "padded   ", "NULL", "\"", "\xc3\xa4 "}},
      {"varchar", {"", "x", " spaces ", "NULL", "a\\\"b", "\xe4\xbd\xa0\xe5\xa5\xbd"}},
      {"date", {"2024-02-29", "0044-03-15 BC", "4714-11-24 BC", "5874897-12-31", "infinity", "-infinity"}},
      {"time", {"00:00", "23:59:59.999999", "24:00", "03:04:05.6"}},
      {"timestamp",
       {"2024-01-02 03:04:05", "2024-01-02 03:04:05.6", "2024-01-02 00:00:00", "infinity", "-infinity",
        "0044-03-15 12:00:00 BC", "4714-11-24 00:00:00 BC", "294276-12-31 23:59:59.999999",
        "10000-01-01 00:00:00", "0001-01-01 00:00:00", "1999-12-31 23:59:59.000001"}},
      {"timestamptz",
       {"2024-01-02 03:04:05+00", "2024-07-02 03:04:05.6+00", "infinity", "-infinity",
        "0044-03-15 12:00:00+00 BC", "4714-11-24 00:00:00+00 BC", "294276-12-31 23:59:59.999999+00",
        "1883-11-18 12:00:00+00", "1900-01-01 00:00:00+00", "10000-01-01 00:00:00+00"}},
      {"interval",
       {"0", "1 day", "-1 day", "1 year 2 mons -3 days 04:05:06.789", "178000000 years", "1 mon -1 day",
        "-00:00:00.000001", "1000000:00:00"}},
      {"timetz", {"00:00+00", "23:59:59.999999-08", "03:04:05.6+05:45", "12:00:00+00:19:32", "24:00+15:59"}},
      {"bit", {"", "1", "0", "10101010111"}},
      {"varbit", {"", "1", "0001"}},
      {"numeric",
       {"0", "-0", "0.00", "1.10", "123.4500", "-0.000000001", "1e400", "-1e-400",
        "12345678901234567890123456789012345678901234567890.123456789012345678901234567890", "NaN",
        "Infinity", "-Infinity", "1e131071", "1e-16383"}},
      {"refcursor", {"", "c1", "with \"quote\""}},
      {"regprocedure", {"now()", "pg_catalog.int4in(cstring)", "-"}},
      {"regoper", {"pg_catalog.||/", "0"}},
      {"regoperator", {"pg_catalog.+(integer,integer)", "0"}},
      {"regclass", {"pg_class", "pg_catalog.pg_type"}},
      {"regtype", {"int4", "timestamp with time zone", "text[]", "-", "\"char\""}},
      {"regconfig", {"simple", "english"}},
      {"regdictionary", {"simple"}},
      {"regnamespace", {"pg_catalog", "public", "-"}},
      {"regrole", {"pg_read_all_data", "-"}},
      {"regcollation", {"\"C\"", "\"POSIX\"", "-"}},
      {"txid_snapshot", {"10:20:10,14,15", "1:1:"}},
      {"pg_snapshot", {"10:20:10,14,15", "1:1:"}},
      {"uuid", {"00000000-0000-0000-0000-000000000000", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}},
      {"pg_lsn", {"0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"}},
      {"tsvector", {"", "a fat cat", "'it''s':1A,2B '\\\\':3 '\"':4", "'with space':5C"}},
      {"tsquery", {"", "a & b | !c", "'fat cat':AB <-> d:*", "'\"' & '\\\\'"}},
      {"jsonb",
       {"null", "true", "1", "1.50", "1e400", "\"x\"", "[]", "{}", "[1, 2]", "{\"b\": 1, \"a\": [null]}",
        "\"\\n\\t\\u0001\\\"\\\\\"", "\"\xf0\x9f\x90\x98\"", "-0", "0.10", "{\"\": \"\"}"}},
      {"jsonpath", {"$", "$.a[*] ? (@ > 1)", "strict $.\"k\\\"ey\"", "lax $[0 to last]"}},
      {"xid8", {"0", "18446744073709551615"}},
      {"int4range", {"empty", "[1,10)", "(,)", "[,5]", "(3,]"}},
      {"int8range", {"empty", "[-9223372036854775808,9223372036854775807)", "(,)"}},
      {"numrange", {"empty", "[1.10,2.200]", "(,0]", "(-1e50,1e50)"}},
      {"tsrange",
       {"empty", "[2024-01-02 03:04:05,2024-01-03 00:00:00)", "(,infinity)", "[0044-03-15 BC,)"}},
      {"tstzrange", {"empty", "[2024-01-02 03:04:05+00,2024-01-03 00:00:00+00)", "(,infinity]"}},
      {"daterange", {"empty", "[2024-01-01,2024-02-01)", "(,)", "[infinity,infinity]"}},
      {"int4multirange", {"{}", "{[1,3),[5,7)}", "{(,)}"}},
      {"int8multirange", {"{}", "{[1,3),[9007199254740993,)}"}},
      {"nummultirange", {"{}", "{[1.10,2.20],(3,4)}"}},
      {"tsmultirange", {"{}", "{[2024-01-02 03:04:05,2024-01-03 00:00:00),[2025-01-01,)}"}},
      {"tstzmultirange", {"{}", "{[2024-01-02 03:04:05+00,2024-01-03 00:00:00+00)}"}},
      {"datemultirange", {"{}", "{[2024-01-01,2024-02-01),[2025-01-01,2025-01-02)}"}},
  };
  return kValues;
}

/// Built-in types whose input function refuses everything: values come from the catalog, if at all.
inline auto types_without_input() -> const std::set<std::string>& {
  static const std::set<std::string> kTypes{"pg_node_tree",
                                            "pg_ndistinct",
                                            "pg_dependencies",
                                            "pg_mcv_list",
                                            "pg_brin_bloom_summary",
                                            "pg_brin_minmax_multi_summary",
                                            "gtsvector"};
  return kTypes;
}

}  // namespace test

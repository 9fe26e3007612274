using System.Collections.Frozen;

namespace Cube.Inference.Json;

/// <summary>The kind of value that a keyword of JSON Schema has.</summary>
internal enum SchemaKeyword
{
    /// <summary>The specification does not define the keyword.</summary>
    Unknown,

    /// <summary>A value that contains no schema.</summary>
    Value,

    /// <summary>One schema.</summary>
    Schema,

    /// <summary>An array of schemas.</summary>
    List,

    /// <summary>An object whose values are schemas; the names are the client's.</summary>
    Map,
}

/// <summary>The keywords of JSON Schema, from draft 7 to 2020-12.</summary>
internal static class SchemaKeywords
{
    private static readonly FrozenDictionary<string, SchemaKeyword> _kinds = new (SchemaKeyword Kind, string[] Names)[]
    {
        (SchemaKeyword.Map, ["properties", "$defs", "definitions", "patternProperties", "dependentSchemas"]),
        (SchemaKeyword.List, ["anyOf", "allOf", "oneOf", "prefixItems"]),
        (SchemaKeyword.Schema, ["items", "additionalProperties", "not", "contains", "if", "then", "else", "propertyNames", "unevaluatedItems", "unevaluatedProperties", "additionalItems", "contentSchema"]),
        (SchemaKeyword.Value,
        [
            "$id", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary", "$comment", "type", "enum", "const", "multipleOf", "maximum",
            "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "maxProperties", "minProperties",
            "required", "dependentRequired", "dependencies", "title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples", "format", "contentEncoding", "contentMediaType", "nullable",
        ]),
    }.SelectMany(static group => group.Names.Select(name => KeyValuePair.Create(name, group.Kind))).ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenSet<string> _folded = _kinds.Keys.Select(JsonMembers.Fold).ToFrozenSet(StringComparer.Ordinal);

    public static SchemaKeyword KindOf(string name) => _kinds.GetValueOrDefault(name);

    /// <summary>Whether the name differs from a keyword only in letter case. Go's JSON decoder, which Ollama uses, would accept it as the keyword.</summary>
    public static bool IsCaseVariant(string name) => !_kinds.ContainsKey(name) && _folded.Contains(JsonMembers.Fold(name));
}

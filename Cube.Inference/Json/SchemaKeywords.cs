using System.Collections.Frozen;

namespace Cube.Inference.Json;

/// <summary>What stands under a keyword of JSON Schema.</summary>
internal enum SchemaKeyword
{
    /// <summary>A name that the specification does not have.</summary>
    Unknown,

    /// <summary>No schema: a number, a text, any value.</summary>
    Value,

    Schema,

    /// <summary>Schemas one after the other.</summary>
    List,

    /// <summary>Schemas by names that are the client's own.</summary>
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

    /// <summary>Whether a decoder written in Go takes the name for a keyword that it is not.</summary>
    public static bool IsInOtherLetters(string name) => !_kinds.ContainsKey(name) && _folded.Contains(JsonMembers.Fold(name));
}

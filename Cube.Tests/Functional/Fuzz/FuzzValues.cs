using System.Text;
using System.Text.Json.Nodes;

namespace Cube.Tests.Functional.Fuzz;

/// <summary>Generates values from a seeded generator: the same seed gives the same values.</summary>
internal sealed class FuzzValues(Random random)
{
    private static readonly string[] _texts =
    [
        "", " ", "m", "*", "admin", "enabled", "asc", "name", "m:latest", "../m", "hf.co/m", "a@b.example", "user@example.com", "1h", "720h", "-1", "0", "true", "null", "[]", "simulated",
        "data:image/png;base64,iVBORw0KGgo=", "https://169.254.169.254/", "https://agent", "\0", "\u2028", "\ud83d\ude00", "ſchema", "'; drop table users; --", "%00", "a\r\nb: c", "{{x}}", "$ref", "#/$defs/a",
        "llm_chat_completions", "models", "domains", "text", "function", "json_schema", "user", "assistant", "tool", "system", "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ];

    private static readonly string[] _numbers = ["0", "-0", "-1", "1", "2", "1.5", "7.0", "1e999", "1E-400", "9007199254740993", "18446744073709551616", "-9223372036854775809", "1e2", "100000000"];

    public int Below(int bound) => random.Next(bound);

    public bool OneIn(int times) => random.Next(times) == 0;

    public T Of<T>(IReadOnlyList<T> choices) => choices[random.Next(choices.Count)];

    public string Text() => random.Next(12) switch
    {
        0 => new string('+', 1 << random.Next(12)),
        1 => new string((char)random.Next(32, 0x3000), random.Next(1, 300)),
        2 => Id(),
        _ => Of(_texts),
    };

    private string Id()
    {
        Span<byte> bytes = stackalloc byte[16];
        random.NextBytes(bytes);
        return new Guid(bytes).ToString();
    }

    public JsonNode? Any(int depth = 0) => random.Next(depth > 4 ? 6 : 9) switch
    {
        0 => null,
        1 => JsonValue.Create(random.Next(2) == 0),
        2 or 3 => JsonNode.Parse(Of(_numbers)),
        4 or 5 => JsonValue.Create(Text()),
        6 => new JsonArray([.. Enumerable.Range(0, random.Next(4)).Select(_ => Any(depth + 1))]),
        _ => new JsonObject(Enumerable.Range(0, random.Next(4)).Select(i => KeyValuePair.Create($"{Of(_texts)}{i}", Any(depth + 1)))),
    };

    /// <summary>A value that mostly follows the schema.</summary>
    public JsonNode? From(JsonObject? schema, IReadOnlyList<string> ids, int depth = 0)
    {
        if (schema is null || depth > 6 || OneIn(20))
        {
            return Any(depth);
        }

        if (schema["enum"] is JsonArray { Count: > 0 } choices)
        {
            return choices[Below(choices.Count)]?.DeepClone();
        }

        return TypeOf(schema) switch
        {
            "object" => new JsonObject((schema["properties"]?.AsObject() ?? []).Where(_ => !OneIn(4)).Select(member => KeyValuePair.Create(member.Key, From(member.Value as JsonObject, ids, depth + 1)))),
            "array" => new JsonArray([.. Enumerable.Range(0, Below(4)).Select(_ => From(schema["items"] as JsonObject, ids, depth + 1))]),
            "integer" or "number" => JsonNode.Parse(Of(_numbers)),
            "boolean" => JsonValue.Create(OneIn(2)),
            "string" => JsonValue.Create(OneIn(3) ? Of(ids) : Text()),
            _ => Any(depth),
        };
    }

    /// <summary>The first type that is not null: OpenAPI 3.1 writes optional members as <c>["null", "string"]</c>.</summary>
    private static string? TypeOf(JsonObject schema) => schema["type"] switch
    {
        JsonArray types => types.Select(static type => (string?)type).FirstOrDefault(static type => type != "null"),
        JsonValue type => (string?)type,
        _ => null,
    };

    /// <summary>Changes one place of a body: its value, the letter case of a member's name, an added or a removed member.</summary>
    public void Change(JsonNode? node)
    {
        while (true)
        {
            switch (node)
            {
                case JsonObject { Count: > 0 } members:
                    var (name, value) = members.ElementAt(Below(members.Count));
                    if (value is JsonObject { Count: > 0 } or JsonArray { Count: > 0 } && !OneIn(3))
                    {
                        node = value;
                        continue;
                    }

                    ChangeMember(members, name, value);
                    return;
                case JsonArray { Count: > 0 } items:
                    var at = Below(items.Count);
                    if (items[at] is JsonObject or JsonArray && !OneIn(3))
                    {
                        node = items[at];
                        continue;
                    }

                    items[at] = OneIn(3) ? null : Any();
                    return;
                default:
                    return;
            }
        }
    }

    private void ChangeMember(JsonObject members, string name, JsonNode? value)
    {
        switch (Below(5))
        {
            case 0:
                members.Remove(name);
                break;
            case 1 when name.Length > 0:
                members[char.ToUpperInvariant(name[0]) + name[1..]] = value?.DeepClone();
                break;
            case 2:
                members[Text()] = Any();
                break;
            case 3:
                members[name] = new JsonArray([.. Enumerable.Repeat(value?.DeepClone(), Below(40)).Select(static item => item?.DeepClone())]);
                break;
            default:
                members[name] = Any();
                break;
        }
    }

    /// <summary>The body as bytes; one in ten is no longer JSON.</summary>
    public byte[] Write(JsonNode? body)
    {
        var bytes = Encoding.UTF8.GetBytes(body?.ToJsonString() ?? "null");
        if (bytes.Length == 0 || !OneIn(10))
        {
            return bytes;
        }

        switch (Below(4))
        {
            case 0:
                return bytes[..Below(bytes.Length)];
            case 1:
                bytes[Below(bytes.Length)] = (byte)Below(256);
                return bytes;
            case 2:
                return [.. bytes, .. bytes];
            default:
                return [.. Enumerable.Repeat((byte)'[', 1 + Below(5000))];
        }
    }
}

using System.Collections.Frozen;
using System.Text.Json;

namespace Cube.Inference.Json;

/// <summary>
/// The members that an object of a request may have, at every depth. Only known members are written for a model server. Go's JSON decoder, which Ollama uses, ignores letter case in names. Therefore a known
/// name in another letter case is rejected: the checks here would not find the member, and the model server would.
/// </summary>
/// <param name="known">The names, each with the members of its value; null if the value is copied unchanged.</param>
public sealed class JsonMembers(params (string Name, JsonMembers? Inner)[] known)
{
    private readonly FrozenDictionary<string, JsonMembers?> _known = known.ToFrozenDictionary(static member => member.Name, static member => member.Inner, StringComparer.Ordinal);
    private readonly FrozenSet<string> _folded = known.Select(static member => Fold(member.Name)).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Creates a set whose members are all copied unchanged.</summary>
    public static JsonMembers Of(params string[] names) => new([.. names.Select(static name => (name, (JsonMembers?)null))]);

    public JsonMembers With(string name, JsonMembers inner) => new([.. _known.Select(static member => (member.Key, member.Value)), (name, inner)]);

    /// <summary>Folds the letter case of a name as Go's decoder does: ASCII letters, U+017F to 's' and U+212A to 'k'.</summary>
    public static string Fold(string name) => string.Create(name.Length, name, static (folded, name) =>
    {
        for (var i = 0; i < folded.Length; i++)
        {
            folded[i] = name[i] switch
            {
                >= 'A' and <= 'Z' and var upper => (char)(upper | 0x20),
                '\u017F' => 's',
                '\u212A' => 'k',
                var other => other,
            };
        }
    });

    /// <summary>Checks the member names of an object, or of each object in an array.</summary>
    /// <param name="value">The value; only objects and arrays are checked.</param>
    /// <param name="param">The path of the value in an error's <c>param</c>.</param>
    /// <param name="path">The path of the value in <c>x-cube-ignored</c>.</param>
    /// <param name="ignored">Receives the unknown names.</param>
    /// <exception cref="RequestRejectedException">A name differs from a known one only in letter case.</exception>
    public void Check(JsonElement value, string param, string path, IgnoredMembers ignored)
    {
        if (value.ValueKind == JsonValueKind.Array)
        {
            var i = 0;
            path += "[]";
            foreach (var item in value.EnumerateArray())
            {
                if (item.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
                {
                    Check(item, $"{param}[{i}]", path, ignored);
                }

                i++;
            }
        }
        else if (value.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in value.EnumerateObject())
            {
                CheckMember(member, param, path, ignored);
            }
        }
    }

    /// <summary>Writes the known members of an object, or of each object in an array.</summary>
    public void Write(JsonElement value, Utf8JsonWriter json)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Array:
                json.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                {
                    Write(item, json);
                }

                json.WriteEndArray();
                break;
            case JsonValueKind.Object:
                json.WriteStartObject();
                foreach (var member in value.EnumerateObject())
                {
                    if (member.Value.ValueKind != JsonValueKind.Null && _known.TryGetValue(member.Name, out var inner))
                    {
                        json.WritePropertyName(member.Name);
                        inner.WriteOrCopy(member.Value, json);
                    }
                }

                json.WriteEndObject();
                break;
            default:
                json.WriteRaw(value);
                break;
        }
    }

    private void CheckMember(JsonProperty member, string param, string path, IgnoredMembers ignored)
    {
        var name = member.Name;
        if (_known.TryGetValue(name, out var inner))
        {
            if (member.Value.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
            {
                inner?.Check(member.Value, $"{param}.{name}", $"{path}.{name}", ignored);
            }

            return;
        }

        FieldChecks.Require(!_folded.Contains(Fold(name)), param, "the name of a member has the wrong letter case");
        ignored.Add(path, name);
    }
}

internal static class JsonMembersExtensions
{
    /// <summary>Writes the known members; copies the value unchanged if no members are listed.</summary>
    public static void WriteOrCopy(this JsonMembers? members, JsonElement value, Utf8JsonWriter json)
    {
        if (members is null)
        {
            json.WriteRaw(value);
        }
        else
        {
            members.Write(value, json);
        }
    }
}

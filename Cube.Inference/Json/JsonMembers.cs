using System.Collections.Frozen;
using System.Text.Json;

namespace Cube.Inference.Json;

/// <summary>
/// The members that an object of a request may have, at every depth. What passes to a model server is written from them. A decoder written in
/// Go matches names without regard to letter case, so a known name in other letters is refused: the checks here would not see that member,
/// and the model server would.
/// </summary>
/// <param name="known">Each name, with what its value may hold; null where the value is copied as it is.</param>
public sealed class JsonMembers(params (string Name, JsonMembers? Inner)[] known)
{
    private readonly FrozenDictionary<string, JsonMembers?> _known = known.ToFrozenDictionary(static one => one.Name, static one => one.Inner, StringComparer.Ordinal);
    private readonly FrozenSet<string> _folded = known.Select(static one => Fold(one.Name)).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Objects whose members are all copied as they are.</summary>
    public static JsonMembers Of(params string[] names) => new([.. names.Select(static name => (name, (JsonMembers?)null))]);

    public JsonMembers With(string name, JsonMembers inner) => new([.. _known.Select(static one => (one.Key, one.Value)), (name, inner)]);

    /// <summary>Folds a name as Go's decoder does: beside the ASCII letters, U+017F is an s and U+212A is a k.</summary>
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

    /// <summary>Looks at the names of an object, or of each object of an array.</summary>
    /// <param name="value">The object; a value of another type has no names.</param>
    /// <param name="param">What an error calls it.</param>
    /// <param name="path">What <c>x-cube-ignored</c> calls it.</param>
    /// <param name="ignored">Takes the names that are not known.</param>
    /// <exception cref="RequestRejectedException">A name is a known one in other letters.</exception>
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

    /// <summary>Writes the object, or each object of the array, from the known members.</summary>
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

        FieldChecks.Value(!_folded.Contains(Fold(name)), param, "a member's name has other letters than it must have");
        ignored.Add(path, name);
    }
}

internal static class MembersExtensions
{
    /// <summary>Copies the value where nothing is said of what it holds.</summary>
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

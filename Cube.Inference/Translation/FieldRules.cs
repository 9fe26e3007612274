using System.Collections.Frozen;
using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>The top-level members of an endpoint's requests. Unknown members are not forwarded; their names are returned in <c>x-cube-ignored</c>.</summary>
internal sealed class FieldRules(Dictionary<string, FieldRule> rules)
{
    private readonly FrozenDictionary<string, FieldRule> _rules = rules.ToFrozenDictionary(StringComparer.Ordinal);
    private readonly FrozenSet<string> _folded = rules.Keys.Select(JsonMembers.Fold).ToFrozenSet(StringComparer.Ordinal);

    /// <param name="request">The request.</param>
    /// <param name="ignored">Receives the unknown names, at every depth.</param>
    /// <exception cref="RequestRejectedException">A name differs from a known one only in letter case.</exception>
    public void CheckNames(JsonElement request, IgnoredMembers ignored)
    {
        foreach (var member in request.EnumerateObject())
        {
            if (_rules.TryGetValue(member.Name, out var rule))
            {
                rule.KnownMembers?.Check(member.Value, member.Name, member.Name, ignored);
                continue;
            }

            if (_folded.Contains(JsonMembers.Fold(member.Name)))
            {
                // Ollama, which is written in Go, would accept the name, so the proxy and the model server would read different requests.
                throw new RequestRejectedException(OpenAiError.InvalidJson);
            }

            ignored.Add(member.Name);
        }
    }

    /// <exception cref="RequestRejectedException">The value of a member is not allowed.</exception>
    public void Check(JsonElement request)
    {
        foreach (var member in request.EnumerateObject())
        {
            if (member.Value.ValueKind != JsonValueKind.Null && _rules.TryGetValue(member.Name, out var rule))
            {
                rule.Check?.Invoke(member.Value, member.Name);
            }
        }
    }

    /// <summary>Writes the members that are forwarded unchanged, without unknown inner members.</summary>
    /// <exception cref="RequestRejectedException">The model server does not support a member that must not be ignored.</exception>
    public void Write(JsonElement request, Utf8JsonWriter json, BackendProtocol backend)
    {
        foreach (var member in request.EnumerateObject())
        {
            if (member.Value.ValueKind == JsonValueKind.Null || !_rules.TryGetValue(member.Name, out var rule))
            {
                continue;
            }

            switch (rule.HandlingBy(backend))
            {
                case FieldHandling.Pass:
                    json.WritePropertyName(member.Name);
                    rule.KnownMembers.WriteOrCopy(member.Value, json);
                    break;
                case FieldHandling.Reject when !IsEmpty(member.Value):
                    throw new RequestRejectedException(OpenAiError.UnsupportedParameter(member.Name));
            }
        }
    }

    /// <summary>An empty object or string has no effect, so it can be omitted.</summary>
    private static bool IsEmpty(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object ? value.GetPropertyCount() == 0 : value.ValueKind == JsonValueKind.String && value.ValueEquals(""u8);
}

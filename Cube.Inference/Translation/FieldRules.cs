using System.Collections.Frozen;
using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>The members that an endpoint knows. What it does not know goes nowhere, and its name comes back in a header.</summary>
internal sealed class FieldRules(Dictionary<string, FieldRule> rules)
{
    private readonly FrozenDictionary<string, FieldRule> _rules = rules.ToFrozenDictionary(StringComparer.Ordinal);
    private readonly FrozenSet<string> _folded = rules.Keys.Select(JsonMembers.Fold).ToFrozenSet(StringComparer.Ordinal);

    /// <param name="request">The whole request.</param>
    /// <param name="ignored">Takes the names that are not known, at every depth.</param>
    /// <exception cref="RequestRejectedException">One is a known one in other letters.</exception>
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
                // A model server written in Go takes it for the same, so two readers could understand two things.
                throw new RequestRejectedException(OpenAiError.InvalidJson);
            }

            ignored.Add(member.Name);
        }
    }

    /// <exception cref="RequestRejectedException">A member is not what it must be.</exception>
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

    /// <summary>Writes what passes, from known members where its rule has them.</summary>
    /// <exception cref="RequestRejectedException">This kind of model server does not know a member that must not be ignored.</exception>
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
                case FieldHandling.Reject when !SaysNothing(member.Value):
                    throw new RequestRejectedException(OpenAiError.UnsupportedParameter(member.Name));
            }
        }
    }

    /// <summary>An empty object or text asks for nothing, so nothing is lost without it.</summary>
    private static bool SaysNothing(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object ? value.GetPropertyCount() == 0 : value.ValueKind == JsonValueKind.String && value.ValueEquals(""u8);
}

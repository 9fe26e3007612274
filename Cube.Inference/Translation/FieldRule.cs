using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>What the proxy does with a member of a request.</summary>
internal enum FieldHandling
{
    /// <summary>The value is forwarded unchanged.</summary>
    Pass,

    /// <summary>The value is omitted because it has no effect on model servers.</summary>
    Drop,

    /// <summary>Cube does not support the member: the proxy rejects the request.</summary>
    Reject,

    /// <summary>The endpoint's translator writes the member.</summary>
    Translate,
}

/// <summary>The rule for one top-level member of a request.</summary>
/// <param name="Check">Checks the value; null if any value is accepted.</param>
/// <param name="Handling">What the proxy does with the member.</param>
internal sealed record FieldRule(FieldCheck? Check, FieldHandling Handling)
{
    public static FieldRule Reject { get; } = new(FieldChecks.Unsupported, FieldHandling.Reject);

    /// <summary>The known members of the value; null if the value is copied without a check of its members.</summary>
    public JsonMembers? KnownMembers { get; init; }

    /// <summary>The features that the model server must support. The proxy rejects the member for other model servers, which would ignore it without an error.</summary>
    public BackendFeatures RequiredFeatures { get; init; }

    public static FieldRule Pass(FieldCheck check) => new(check, FieldHandling.Pass);

    public static FieldRule Translate(FieldCheck? check = null) => new(check, FieldHandling.Translate);

    public static FieldRule Drop(FieldCheck? check = null) => new(check, FieldHandling.Drop);

    public FieldRule WithMembers(JsonMembers known) => this with { KnownMembers = known };

    public FieldRule Requires(BackendFeatures features) => this with { RequiredFeatures = features };

    public FieldHandling HandlingBy(BackendProtocol backend) => backend.Supports(RequiredFeatures) ? Handling : FieldHandling.Reject;
}

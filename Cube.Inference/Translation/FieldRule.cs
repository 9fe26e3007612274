using System.Text.Json;

namespace Cube.Inference.Translation;

internal enum FieldHandling
{
    /// <summary>The value is copied to the model server.</summary>
    Pass,

    /// <summary>The value means nothing to the model server and is left out.</summary>
    Drop,

    /// <summary>Cube does not support the member: the proxy rejects the request.</summary>
    Reject,

    /// <summary>The endpoint's translator writes the member.</summary>
    Translate,
}

/// <summary>How one top-level member of a request is handled.</summary>
/// <param name="Check">Checks the value; null where any value is accepted.</param>
/// <param name="Handling">What is done with it.</param>
internal sealed record FieldRule(FieldCheck? Check, FieldHandling Handling)
{
    public static FieldRule Reject { get; } = new(FieldChecks.Unsupported, FieldHandling.Reject);

    /// <summary>The members that the value may have; null where it is copied without a check of its members.</summary>
    public JsonMembers? KnownMembers { get; init; }

    /// <summary>What the model server must support. The proxy rejects the member for any other server, which would ignore it without an error.</summary>
    public BackendFeatures RequiredFeatures { get; init; }

    public static FieldRule Pass(FieldCheck check) => new(check, FieldHandling.Pass);

    public static FieldRule Translate(FieldCheck? check = null) => new(check, FieldHandling.Translate);

    public static FieldRule Drop(FieldCheck? check = null) => new(check, FieldHandling.Drop);

    public FieldRule WithMembers(JsonMembers known) => this with { KnownMembers = known };

    public FieldRule Requires(BackendFeatures features) => this with { RequiredFeatures = features };

    public FieldHandling HandlingBy(BackendProtocol backend) => backend.Supports(RequiredFeatures) ? Handling : FieldHandling.Reject;
}

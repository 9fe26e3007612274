namespace Cube.Attestation.Azure;

/// <summary>The claims of Azure's paravisor, which the hardware report covers.</summary>
public sealed record AzureClaims
{
    public bool? SecureBoot { get; init; }

    public bool? ConsoleEnabled { get; init; }

    /// <summary>64 bytes that the guest wrote before the hardware report was generated; they show its freshness.</summary>
    public byte[]? UserData { get; init; }
}

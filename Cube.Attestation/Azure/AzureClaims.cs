namespace Cube.Attestation.Azure;

/// <summary>What Azure's paravisor says of the machine, bound by the hardware report.</summary>
public sealed record AzureClaims
{
    public bool? SecureBoot { get; init; }

    public bool? ConsoleEnabled { get; init; }

    /// <summary>What the guest wrote before the hardware report was made: how fresh that report is.</summary>
    public byte[]? UserData { get; init; }
}

using Cube.Attestation.Azure;
using Cube.Attestation.Simulated;
using Cube.Attestation.Snp;
using Cube.Attestation.Tdx;
using Cube.Attestation.Tpm;

namespace Cube.Attestation;

/// <summary>What genuine evidence says, part by part. Only parts whose signatures and bindings hold are here.</summary>
public sealed record Claims
{
    /// <summary>One of <see cref="Evidence.EvidenceType"/>.</summary>
    public required string Type { get; init; }

    public SnpClaims? Snp { get; init; }

    public TdxClaims? Tdx { get; init; }

    public TpmClaims? Tpm { get; init; }

    public AzureClaims? Azure { get; init; }

    public MaaClaims? Maa { get; init; }

    /// <summary>Google endorses the measurement.</summary>
    public LaunchClaims? Launch { get; init; }

    public SimulatedClaims? Simulated { get; init; }

    /// <summary>When the first certificate, list or document behind the claims ends; null where there is none.</summary>
    public DateTimeOffset? ExpiresAt
    {
        get
        {
            DateTimeOffset?[] ends = [Snp?.ExpiresAt, Tdx?.ExpiresAt, Tpm?.ExpiresAt, Maa?.ExpiresAt, Launch?.ExpiresAt];
            return ends.Min();
        }
    }
}

/// <param name="SnpSvn">Security version of the firmware, by Google's count.</param>
/// <param name="Vcpus">The number of vCPUs that the measurement was endorsed for; null where nobody asked.</param>
public sealed record LaunchClaims(uint SnpSvn, uint? Vcpus, DateTimeOffset ExpiresAt);

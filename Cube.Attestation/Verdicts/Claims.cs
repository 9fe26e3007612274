using Cube.Attestation.Azure;
using Cube.Attestation.Simulated;
using Cube.Attestation.Snp;
using Cube.Attestation.Tdx;
using Cube.Attestation.Tpm;

namespace Cube.Attestation.Verdicts;

/// <summary>The claims of authentic Evidence. Only parts whose signatures and bindings were verified are set.</summary>
public sealed record Claims
{
    /// <summary>One of <see cref="Evidence.EvidenceType"/>.</summary>
    public required string Type { get; init; }

    public SnpClaims? Snp { get; init; }

    public TdxClaims? Tdx { get; init; }

    public TpmClaims? Tpm { get; init; }

    public AzureClaims? Azure { get; init; }

    public MaaClaims? Maa { get; init; }

    /// <summary>Set if Google's endorsement contains the measurement.</summary>
    public LaunchClaims? Launch { get; init; }

    public SimulatedClaims? Simulated { get; init; }

    /// <summary>Earliest end of validity of the certificates, revocation lists and documents behind the claims; null if there are none.</summary>
    public DateTimeOffset? ExpiresAt
    {
        get
        {
            DateTimeOffset?[] ends = [Snp?.ExpiresAt, Tdx?.ExpiresAt, Tpm?.ExpiresAt, Maa?.ExpiresAt, Launch?.ExpiresAt];
            return ends.Min();
        }
    }
}

/// <param name="SnpSvn">Security version number (SVN) that Google assigns to the firmware.</param>
/// <param name="Vcpus">The number of vCPUs that the endorsement was checked for; null if the policy names none.</param>
public sealed record LaunchClaims(uint SnpSvn, uint? Vcpus, DateTimeOffset ExpiresAt);

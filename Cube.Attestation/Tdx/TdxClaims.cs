namespace Cube.Attestation.Tdx;

/// <summary>The verified claims of a TDX quote. The policy evaluates them.</summary>
public sealed record TdxClaims
{
    public required ReadOnlyMemory<byte> TeeTcbSvn { get; init; }

    public required ReadOnlyMemory<byte> MrSeam { get; init; }

    public required ReadOnlyMemory<byte> TdAttributes { get; init; }

    public required bool SeptVeDisable { get; init; }

    public required bool IsMigratable { get; init; }

    public required ReadOnlyMemory<byte> Xfam { get; init; }

    public required ReadOnlyMemory<byte> MrTd { get; init; }

    public required ReadOnlyMemory<byte> MrConfigId { get; init; }

    public required ReadOnlyMemory<byte> MrOwner { get; init; }

    public required ReadOnlyMemory<byte> MrOwnerConfig { get; init; }

    /// <summary>RTMR0 to RTMR3: firmware configuration, boot loader and kernel, operating system, application.</summary>
    public required IReadOnlyList<ReadOnlyMemory<byte>> Rtmrs { get; init; }

    public required ReadOnlyMemory<byte> ReportData { get; init; }

    public required ReadOnlyMemory<byte> Fmspc { get; init; }

    public required int PceSvn { get; init; }

    public required int QeSvn { get; init; }

    /// <summary>Null without collateral: the quote is authentic, but its TCB level is unknown.</summary>
    public TcbStatus? TcbStatus { get; init; }

    public IReadOnlyList<string> Advisories { get; init; } = [];

    /// <summary>The lower <c>tcbEvaluationDataNumber</c> of TCB info and QE identity; Intel increases it with each TCB recovery.</summary>
    public int? TcbEvaluationNumber { get; init; }

    /// <summary>True if the replay of the event log results in the RTMRs.</summary>
    public bool EventLogReplayed { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}

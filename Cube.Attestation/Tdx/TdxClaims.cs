namespace Cube.Attestation.Tdx;

/// <summary>What a genuine TDX quote says. Whether that is enough is the policy's to decide.</summary>
public sealed record TdxClaims
{
    public required int QuoteVersion { get; init; }

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

    /// <summary>Null without collateral: the quote is genuine, but nobody said how current its platform is.</summary>
    public TcbStatus? TcbStatus { get; init; }

    public IReadOnlyList<string> Advisories { get; init; } = [];

    /// <summary>The lower of the two numbers in TCB info and QE identity; it grows with every recovery of Intel's.</summary>
    public int? TcbEvaluationNumber { get; init; }

    /// <summary>An event log came along, and its replay gives the RTMRs.</summary>
    public bool EventLogReplayed { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}

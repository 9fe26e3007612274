namespace Cube.Attestation.Tdx;

/// <summary>How Intel judges a platform, in the words of its TCB info.</summary>
public enum TcbStatus
{
    UpToDate,
    SWHardeningNeeded,
    ConfigurationNeeded,
    ConfigurationAndSWHardeningNeeded,
    OutOfDate,
    OutOfDateConfigurationNeeded,

    /// <summary>The platform is up to date today; the TD was launched before that.</summary>
    TDRelaunchAdvised,

    TDRelaunchAdvisedConfigurationNeeded,
    Revoked,
}

internal static class TcbStatuses
{
    /// <summary>How the status of a part (module, quoting enclave) changes that of the platform: Intel's quote verification library.</summary>
    public static TcbStatus Converge(this TcbStatus platform, TcbStatus part) => (platform, part) switch
    {
        (_, TcbStatus.Revoked) => TcbStatus.Revoked,
        (TcbStatus.UpToDate or TcbStatus.SWHardeningNeeded, TcbStatus.OutOfDate) => TcbStatus.OutOfDate,
        (TcbStatus.ConfigurationNeeded or TcbStatus.ConfigurationAndSWHardeningNeeded, TcbStatus.OutOfDate) => TcbStatus.OutOfDateConfigurationNeeded,
        _ => platform,
    };
}

using System.Diagnostics;

namespace Cube.Benchmarks.Load;

/// <summary>What a number of connections measured during one run.</summary>
internal sealed record LoadResult(int Requests, int Failures, double Seconds, long[] Sorted, long[] FirstBytes)
{
    public double PerSecond => Requests / Seconds;

    /// <summary>The processor time of the proxy per request, in µs.</summary>
    public double ProxyCpu { get; init; }

    /// <summary>The processor time of the agent per request, in µs; 0 for bare YARP, which has none.</summary>
    public double AgentCpu { get; init; }

    /// <summary>The bytes that the proxy allocates per request.</summary>
    public double Allocated { get; init; }

    /// <summary>The pauses of the proxy's garbage collector in each second.</summary>
    public TimeSpan Pauses { get; init; }

    /// <summary>The garbage collections of the proxy in each second.</summary>
    public double Collections { get; init; }

    /// <summary>The processor time that other processes of this machine used, as a share of the two cores.</summary>
    public double Foreign { get; init; }

    /// <param name="share">0 to 1; 0.5 for the median.</param>
    /// <returns>Time of an exchange in µs.</returns>
    public double Total(double share) => Quantile(Sorted, share);

    /// <inheritdoc cref="Total"/>
    /// <returns>Time until the first byte of the body in µs.</returns>
    public double FirstByte(double share) => Quantile(FirstBytes, share);

    public static LoadResult Of(IReadOnlyCollection<Exchange> exchanges, double seconds)
    {
        var good = exchanges.Where(static exchange => exchange.Status == 200).ToList();
        long[] totals = [.. good.Select(static exchange => exchange.Total)];
        long[] firsts = [.. good.Select(static exchange => exchange.FirstByte)];
        Array.Sort(totals);
        Array.Sort(firsts);
        return new LoadResult(good.Count, exchanges.Count - good.Count, seconds, totals, firsts);
    }

    private static double Quantile(long[] sorted, double share) =>
        sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)(sorted.Length * share))] * 1e6 / Stopwatch.Frequency;
}

using System.Diagnostics;

namespace Cube.Tests.Systems;

/// <summary>Waits until a condition is true, and fails the test after a timeout.</summary>
internal static class Eventually
{
    public static async Task TrueAsync(Func<Task<bool>> condition, string what, int seconds = 30)
    {
        for (var clock = Stopwatch.StartNew(); !await condition(); await Task.Delay(50))
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(seconds), $"Not fulfilled within {seconds} s: {what}.");
        }
    }
}

using System.Text;
using Cube.ServiceDefaults.Logging;
using Cube.Tests.Systems;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Cube.Tests.ServiceDefaults;

public sealed class BufferedConsoleLoggerProviderTests
{
    [Fact]
    public void Lines_are_written_in_their_order_with_few_writes_and_none_is_lost_at_the_end()
    {
        var output = new Output();
        using (var provider = new BufferedConsoleLoggerProvider(new PlainFormatter(), output))
        {
            var logger = provider.CreateLogger("test");
            for (var i = 0; i < 5000; i++)
            {
                Log(logger, LogLevel.Information, $"line {i}");
            }
        }

        Assert.Equal(Enumerable.Range(0, 5000).Select(static i => $"line {i}"), output.Lines);
        Assert.InRange(output.Writes, 1, 500);
    }

    [Fact]
    public async Task A_line_is_written_soon_without_further_lines()
    {
        var output = new Output();
        using var provider = new BufferedConsoleLoggerProvider(new PlainFormatter(), output);
        Log(provider.CreateLogger("test"), LogLevel.Information, "alone");
        await Eventually.TrueAsync(() => Task.FromResult(output.Lines is ["alone"]), "the line is written", 5);
    }

    [Fact]
    public void Output_that_is_not_read_does_not_stop_the_program_and_the_lost_lines_are_counted()
    {
        var output = new Output { Blocked = new TaskCompletionSource() };
        using (var provider = new BufferedConsoleLoggerProvider(new PlainFormatter(), output))
        {
            var logger = provider.CreateLogger("test");
            for (var i = 0; i < 40_000; i++)
            {
                Log(logger, LogLevel.Information, $"line {i}");
            }

            Log(logger, LogLevel.Warning, "important");
            output.Blocked.SetResult();
        }

        Assert.Contains("important", output.Lines);
        Assert.Contains(output.Lines, static line => line.Contains("log lines were dropped", StringComparison.Ordinal));
        Assert.InRange(output.Lines.Length, 16_000, 39_000);
    }

    [Fact]
    public async Task A_failed_write_does_not_end_the_log()
    {
        var output = new Output { Fails = true };
        using var provider = new BufferedConsoleLoggerProvider(new PlainFormatter(), output);
        var logger = provider.CreateLogger("test");
        Log(logger, LogLevel.Information, "lost");
        await Eventually.TrueAsync(() => Task.FromResult(output.Writes > 0), "the write has failed", 5);
        output.Fails = false;
        Log(logger, LogLevel.Information, "later");
        await Eventually.TrueAsync(() => Task.FromResult(output.Lines is ["later"]), "the later line is written", 5);
    }

    private static void Log(ILogger logger, LogLevel level, string text) => logger.Log(level, 0, text, null, static (state, _) => state);

    private sealed class PlainFormatter() : ConsoleFormatter("plain")
    {
        public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter) =>
            textWriter.Write(logEntry.Formatter(logEntry.State, logEntry.Exception) + "\n");
    }

    private sealed class Output : MemoryStream
    {
        private readonly Lock _lock = new();
        private readonly StringBuilder _text = new();

        public TaskCompletionSource? Blocked { get; init; }

        public volatile bool Fails;

        public int Writes;

        public string[] Lines
        {
            get
            {
                lock (_lock)
                {
                    return _text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
                }
            }
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Blocked is { } blocked)
            {
                await blocked.Task;
            }

            Interlocked.Increment(ref Writes);
            if (Fails)
            {
                throw new IOException("no space");
            }

            lock (_lock)
            {
                _text.Append(Encoding.UTF8.GetString(buffer.Span));
            }
        }
    }
}

using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Cube.ServiceDefaults.Logging;

/// <summary>
/// Writes log lines to standard output from a background thread, many lines with one system call. The console provider of .NET makes one call for each line, which takes half of the processor time of a proxy under
/// load. The formats are those of .NET (<c>Logging:Console:FormatterName</c>: <c>simple</c>, <c>json</c> or <c>systemd</c>).
/// Standard output that is not read does not stop requests: then lines are dropped, first those below <see cref="LogLevel.Warning"/>, and their number is written.
/// </summary>
internal sealed class BufferedConsoleLoggerProvider : ILoggerProvider, ISupportExternalScope
{
    private const int MaxWaitingLines = 16_384;
    private const int MaxWriteChars = 128 << 10;

    /// <summary>The pause after a write, during which the lines of the next one arrive.</summary>
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);

    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ConsoleFormatter _formatter;
    private readonly Stream _output;
    private readonly Task _writing;
    private readonly CancellationTokenSource _stopping = new();
    private IExternalScopeProvider? _scopes;
    private int _waiting;
    private long _dropped;

    public BufferedConsoleLoggerProvider(IEnumerable<ConsoleFormatter> formatters, IOptions<ConsoleLoggerOptions> options)
        : this(Find(formatters, options.Value.FormatterName), Console.OpenStandardOutput())
    {
    }

    internal BufferedConsoleLoggerProvider(ConsoleFormatter formatter, Stream output)
    {
        (_formatter, _output) = (formatter, output);
        _writing = Task.Factory.StartNew(WriteAsync, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();
    }

    public ILogger CreateLogger(string categoryName) => new BufferedConsoleLogger(this, categoryName);

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

    /// <summary>Writes the remaining lines, for at most two seconds.</summary>
    public void Dispose()
    {
        _lines.Writer.TryComplete();
        _stopping.Cancel();
        _writing.Wait(TimeSpan.FromSeconds(2));
        _stopping.Dispose();
    }

    private static ConsoleFormatter Find(IEnumerable<ConsoleFormatter> formatters, string? name) =>
        formatters.FirstOrDefault(formatter => formatter.Name.Equals(name ?? ConsoleFormatterNames.Simple, StringComparison.OrdinalIgnoreCase))
        ?? throw new Hosting.SettingException($"Logging__Console__FormatterName must be simple, json or systemd, not '{name}'.");

    private void Add<TState>(in LogEntry<TState> entry)
    {
        // Important lines have more room, but not all of the memory.
        if (Volatile.Read(ref _waiting) >= (entry.LogLevel < LogLevel.Warning ? MaxWaitingLines : 4 * MaxWaitingLines))
        {
            Interlocked.Increment(ref _dropped);
            return;
        }

        var text = LineWriter.Take();
        _formatter.Write(entry, _scopes, text);
        if (text.Finish() is { Length: > 0 } line && _lines.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref _waiting);
        }
    }

    private async Task WriteAsync()
    {
        var text = new StringBuilder();
        while (await _lines.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            try
            {
                while (text.Length < MaxWriteChars && _lines.Reader.TryRead(out var line))
                {
                    Interlocked.Decrement(ref _waiting);
                    text.Append(line);
                }

                if (Interlocked.Exchange(ref _dropped, 0) is > 0 and var dropped)
                {
                    text.Append(System.Globalization.CultureInfo.InvariantCulture, $"warn: {dropped} log lines were dropped because standard output is not read fast enough.\n");
                }

                await _output.WriteAsync(Encoding.UTF8.GetBytes(text.ToString())).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is IOException or ObjectDisposedException)
            {
                // Standard output is closed, or its disk is full. These lines are lost; later ones may succeed.
            }

            text.Clear();
            await Task.Delay(_pause, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The text of one entry, in memory that each thread reuses.</summary>
    private sealed class LineWriter : StringWriter
    {
        private const int MaxKept = 4096;

        [ThreadStatic]
        private static LineWriter? _current;

        public static LineWriter Take() => _current ??= new LineWriter();

        public string Finish()
        {
            var builder = GetStringBuilder();
            var line = builder.ToString();
            builder.Clear();
            if (builder.Capacity > MaxKept)
            {
                _current = null;
            }

            return line;
        }
    }

    private sealed class BufferedConsoleLogger(BufferedConsoleLoggerProvider provider, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => provider._scopes?.Push(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            provider.Add(new LogEntry<TState>(logLevel, category, eventId, state, exception, formatter));
    }
}

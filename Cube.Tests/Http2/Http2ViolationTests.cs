using System.Buffers.Binary;
using System.IO.Pipelines;
using Cube.Http2;
using CsCheck;
using Cube.Tests.Systems;
using Microsoft.Extensions.Time.Testing;

namespace Cube.Tests.Http2;

/// <summary>A server that violates HTTP/2: each request ends with an error, and nothing hangs or crashes.</summary>
public sealed class Http2ViolationTests
{
    private const string Settings = "000000040000000000";

    /// <summary>:status 200 for stream 1, without the end of the stream.</summary>
    private const string Headers = "00000101040000000188";

    [Theory]
    [InlineData("000000060000000000", ErrorCode.ProtocolError, "the first frame is not SETTINGS")]
    [InlineData(Settings + "004001000000000001", ErrorCode.FrameSizeError, "a frame above 16,384 bytes")]
    [InlineData(Settings + "000005040000000000" + "0000000000", ErrorCode.FrameSizeError, "SETTINGS of five bytes")]
    [InlineData(Settings + "000006040000000000" + "000480000000", ErrorCode.FlowControlError, "a window above 2^31 - 1")]
    [InlineData(Settings + "000006040000000000" + "000500000001", ErrorCode.ProtocolError, "a maximum frame size of 1")]
    [InlineData(Settings + "000001000000000001" + "41", ErrorCode.ProtocolError, "DATA without headers")]
    [InlineData(Settings + "000001000000000003" + "41", ErrorCode.ProtocolError, "DATA for a stream that does not exist")]
    [InlineData(Settings + "000001010400000002" + "88", ErrorCode.ProtocolError, "HEADERS for a stream of the server")]
    [InlineData(Settings + "000001010400000001" + "82", ErrorCode.ProtocolError, "headers without a status")]
    [InlineData(Settings + "000001010400000001" + "be", ErrorCode.CompressionError, "headers that use the dynamic table")]
    [InlineData(Settings + "000001050400000001" + "00", ErrorCode.ProtocolError, "PUSH_PROMISE")]
    [InlineData(Settings + "000001090400000001" + "88", ErrorCode.ProtocolError, "CONTINUATION without HEADERS")]
    [InlineData(Settings + "000001010000000001" + "88" + "000000060000000000", ErrorCode.ProtocolError, "a header block that another frame interrupts")]
    [InlineData(Settings + Headers + "000001000800000001" + "01", ErrorCode.ProtocolError, "padding that is longer than the frame")]
    [InlineData(Settings + Headers + "000004080000000000" + "00000000", ErrorCode.FlowControlError, "WINDOW_UPDATE of 0")]
    [InlineData(Settings + "000004080000000000" + "7fffffff", ErrorCode.FlowControlError, "a window of the connection above 2^31 - 1")]
    [InlineData(Settings + "000006010400000001" + "880f0d023130" + "000001000100000001" + "41", ErrorCode.ProtocolError, "a body that is shorter than its Content-Length")]
    [InlineData(Settings + "000005010400000001" + "880f0d0131" + "000002000100000001" + "4141", ErrorCode.ProtocolError, "a body that is longer than its Content-Length")]
    [InlineData(Settings + "000007060000000000" + "00000000000000", ErrorCode.FrameSizeError, "PING of seven bytes")]
    [InlineData(Settings + "000003030000000001" + "000000", ErrorCode.FrameSizeError, "RST_STREAM of three bytes")]
    public async Task A_violation_closes_the_connection_with_its_error(string frames, ErrorCode code, string what)
    {
        await using var server = new ScriptedServer();
        using var connection = Http2Connection.Start(server.Client);
        var request = SendAsync(connection);
        await server.WriteAsync(Convert.FromHexString(frames));
        var error = await Assert.ThrowsAsync<Http2Exception>(() => request.WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.True(code == error.Code, what);
        Assert.False(connection.IsOpen);
        Assert.Equal((byte)code, (await server.ReadToEndAsync())[^1]);
    }

    /// <summary>A server that stops: the last response is complete, and then the connection ends before the client has read it.</summary>
    [Fact]
    public async Task A_complete_response_can_be_read_after_the_end_of_the_connection()
    {
        await using var server = new ScriptedServer();
        using var connection = Http2Connection.Start(server.Client);
        var sending = connection.SendAsync(new Http2Request { Method = "GET", Authority = "a", Path = "/" }, default);
        await server.WriteAsync(Convert.FromHexString(Settings + Headers + "000002000100000001" + "4142"));
        using var response = await sending;
        await server.EndAsync();
        await Eventually.TrueAsync(() => Task.FromResult(!connection.IsOpen), "the connection is closed", 5);
        var buffer = new byte[10];
        Assert.Equal(2, await response.ReadAsync(buffer));
        Assert.Equal(0, await response.ReadAsync(buffer));
    }

    [Fact]
    public async Task Padding_is_credited_so_that_a_padded_response_of_any_length_arrives()
    {
        await using var server = new ScriptedServer();
        using var connection = Http2Connection.Start(server.Client, new Http2Options { StreamWindow = 65_536 });
        var sending = connection.SendAsync(new Http2Request { Method = "GET", Authority = "a", Path = "/" }, default);
        await server.WriteAsync(Convert.FromHexString(Settings + Headers));
        using var response = await sending;
        // 200 frames of one byte of data and 255 bytes of padding.
        byte[] frame = [.. Convert.FromHexString("000101000800000001" + "ff" + "41"), .. new byte[255]];
        for (var i = 0; i < 200; i++)
        {
            await server.WriteAsync(frame);
            Assert.Equal(1, await response.ReadAsync(new byte[1]));
        }

        // The update is written on another thread.
        await Task.Delay(200);
        connection.Dispose();
        var sent = await server.ReadToEndAsync();
        // WINDOW_UPDATE for stream 1.
        Assert.True(sent.AsSpan().IndexOf(Convert.FromHexString("000004080000000001")) > 0);
    }

    [Fact]
    public async Task More_data_than_the_window_closes_the_connection()
    {
        await using var server = new ScriptedServer();
        using var connection = Http2Connection.Start(server.Client, new Http2Options { StreamWindow = 65_536 });
        var sending = connection.SendAsync(new Http2Request { Method = "GET", Authority = "a", Path = "/" }, default);
        await server.WriteAsync(Convert.FromHexString(Settings + Headers));
        using var response = await sending;
        for (var i = 0; i < 5; i++)
        {
            await server.WriteAsync([.. Convert.FromHexString("004000000000000001"), .. new byte[16_384]]);
        }

        await Eventually.TrueAsync(() => Task.FromResult(!connection.IsOpen), "the connection is closed", 5);
        Assert.Equal(ErrorCode.FlowControlError, (await Assert.ThrowsAsync<Http2Exception>(async () => await response.ReadAsync(new byte[1]))).Code);
    }

    [Fact]
    public async Task A_silent_server_is_pinged_and_then_the_connection_is_closed()
    {
        var time = new FakeTimeProvider();
        await using var server = new ScriptedServer();
        using var connection = Http2Connection.Start(server.Client, new Http2Options { Time = time });
        var request = SendAsync(connection);
        await server.WriteAsync(Convert.FromHexString(Settings));
        await connection.Ready;
        time.Advance(TimeSpan.FromSeconds(5));
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.True(connection.IsOpen);
        // The ping is written on another thread.
        await Task.Delay(200);
        time.Advance(TimeSpan.FromSeconds(5));
        await Assert.ThrowsAsync<Http2Exception>(() => request.WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.False(connection.IsOpen);
        Assert.Contains("cubeping", System.Text.Encoding.ASCII.GetString(await server.ReadToEndAsync()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_floods_pings_and_reads_nothing_is_disconnected()
    {
        await using var server = new ScriptedServer();
        using var connection = Http2Connection.Start(server.Client);
        await server.WriteAsync(Convert.FromHexString(Settings));
        var pings = new byte[17 * 1000];
        for (var i = 0; i < 1000; i++)
        {
            Convert.FromHexString("000008060000000000").CopyTo(pings, 17 * i);
        }

        for (var i = 0; i < 2000 && connection.IsOpen; i++)
        {
            await server.WriteAsync(pings);
        }

        await Eventually.TrueAsync(() => Task.FromResult(!connection.IsOpen), "the connection is closed", 10);
    }

    [Fact]
    public async Task Random_frames_end_the_request_or_leave_it_waiting_but_never_crash()
    {
        var frames = Gen.Select(Gen.Byte[0, 10], Gen.Byte, Gen.Int[0, 5], Gen.Byte.Array[0, 40]).Select(static (type, flags, stream, payload) => Frame(type, flags, stream, payload)).Array[1, 20];
        await frames.SampleAsync(async script =>
        {
            await using var server = new ScriptedServer();
            using var connection = Http2Connection.Start(server.Client);
            var request = SendAsync(connection);
            await server.WriteAsync([.. Convert.FromHexString(Settings), .. script.SelectMany(static frame => frame)]);
            await server.EndAsync();
            await Assert.ThrowsAnyAsync<IOException>(() => request.WaitAsync(TimeSpan.FromSeconds(5)));
            Assert.Equal(0, connection.Running);
        }, iter: TestLevel.Pick(200, 5_000), threads: 1);
    }

    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        (frame[2], frame[3], frame[4]) = ((byte)payload.Length, type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return frame;
    }

    /// <summary>Sends a request and reads its response to the end; a complete response is an error here.</summary>
    private static async Task SendAsync(Http2Connection connection)
    {
        using var response = await connection.SendAsync(new Http2Request { Method = "GET", Authority = "a", Path = "/" }, default);
        while (await response.ReadAsync(new byte[4096]) > 0)
        {
            // The content does not matter.
        }

        throw new IOException("complete");
    }

    /// <summary>A server that sends given bytes.</summary>
    private sealed class ScriptedServer : IAsyncDisposable
    {
        private readonly Pipe _toClient = new(new PipeOptions(pauseWriterThreshold: 0));
        private readonly Pipe _toServer = new(new PipeOptions(pauseWriterThreshold: 65_536));

        public ScriptedServer() => Client = new DuplexStream(_toClient.Reader.AsStream(), _toServer.Writer.AsStream());

        public Stream Client { get; }

        public async Task WriteAsync(byte[] bytes) => await _toClient.Writer.WriteAsync(bytes);

        public ValueTask EndAsync() => _toClient.Writer.CompleteAsync();

        public async Task<byte[]> ReadToEndAsync()
        {
            using var all = new MemoryStream();
            await _toServer.Reader.AsStream().CopyToAsync(all);
            return all.ToArray();
        }

        public async ValueTask DisposeAsync() => await Client.DisposeAsync();
    }

    private sealed class DuplexStream(Stream input, Stream output) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => input.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => output.WriteAsync(buffer, cancellationToken);

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            input.Dispose();
            output.Dispose();
            base.Dispose(disposing);
        }
    }
}

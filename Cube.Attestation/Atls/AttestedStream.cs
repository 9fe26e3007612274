namespace Cube.Attestation.Atls;

/// <summary>
/// The byte stream of an attested connection. After it is closed, it writes no further byte, and the next call of the HTTP layer fails.
/// </summary>
internal sealed class AttestedStream(Stream tls) : Stream
{
    private volatile AttestationException? _reason;
    private volatile bool _isClosed;

    public bool IsClosed => _isClosed;

    public override bool CanRead => tls.CanRead;

    public override bool CanSeek => false;

    public override bool CanWrite => tls.CanWrite;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Closes the connection immediately. Pending and later calls throw <paramref name="reason"/>.</summary>
    public void Abort(AttestationException reason)
    {
        _reason ??= reason;
        Dispose();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var read = await tls.ReadAsync(buffer, cancellationToken);
            return _reason is { } reason ? throw reason : read;
        }
        catch (Exception exception) when (_reason is { } reason && exception is not AttestationException)
        {
            throw reason;
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        _reason is { } reason ? ValueTask.FromException(reason)
        : _isClosed ? ValueTask.FromException(new IOException("The connection is closed."))
        : tls.WriteAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("The connection is asynchronous.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("The connection is asynchronous.");

    public override void Flush() => tls.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => tls.FlushAsync(cancellationToken);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _isClosed = true;
        if (disposing)
        {
            tls.Dispose();
        }

        base.Dispose(disposing);
    }

    public override async ValueTask DisposeAsync()
    {
        _isClosed = true;
        await tls.DisposeAsync();
        await base.DisposeAsync();
    }
}
